//! The functions of this group, one file each.

pub mod configmap;
pub mod secret;

use crate::call::Cx;
use crate::host::targets;
use crate::model::resource::{Target, check_name};
use crate::model::spec::Args;
use crate::model::{Failure, ObjectRef, Read, ResourceKind, Value};

/// The object of a kind that an argument names, with or without the kind.
fn named(args: &Args, cx: &Cx<'_>, kind: &'static str) -> Result<Value, Failure> {
    let text = args.str(0);
    let kind = ResourceKind::named(kind)?;
    let name = match Target::parse(text) {
        Ok(Target::Object(own, name)) if own == kind => name,
        Ok(Target::Object(own, _)) => {
            return Err(Failure::bad_argument(format!("a {} is no {}", own.singular, kind.singular)).on(text));
        }
        _ => {
            check_name(text)?;
            text.to_owned()
        }
    };
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    cx.read(&Read::Object(ObjectRef::new(kind, &namespace, &name)))
}
