//! `percentile`: the value that so many of a hundred stay below.

use crate::call::{Body, Function};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static PERCENTILE: Function = Function {
    spec: Spec {
        name: "percentile",
        group: Group::Values,
        summary: "Answers a percentile of numbers by linear interpolation between the two nearest: definition 7 of Hyndman and Fan (1996), as PostgreSQL's `percentile_cont` and NumPy have it.",
        params: &[
            Param { name: "numbers", ty: Type::Numbers, required: true, help: "an array of numbers, in any order" },
            Param {
                name: "p",
                ty: Type::Number(0, 100),
                required: true,
                help: "which one: 50 is the median, 0 the least, 100 the greatest",
            },
        ],
        options: &[],
        returns: "a float",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[],
        examples: &[
            Example { title: "The median of four", code: "percentile([1, 2, 3, 10], 50)", result: "2.5" },
            Example {
                title: "The latency that 19 of 20 services keep to",
                code: "percentile(http_health(services()).map(|health| health.latency_ms), 95) > 0.0",
                result: "true",
            },
        ],
    },
    body: Body::Pure(body),
};

fn body(args: &Args) -> Result<Value, Failure> {
    let numbers = args.get(0).and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_number).collect();
    let p = args.get(1).and_then(Value::as_number).unwrap_or_default();
    of(numbers, p).map(Value::Float)
}

/// The percentile of numbers. Errors are `bad_argument`: of no numbers, and of what is no finite one, there is none.
pub fn of(mut numbers: Vec<f64>, p: f64) -> Result<f64, Failure> {
    if let Some(odd) = numbers.iter().find(|number| !number.is_finite()) {
        return Err(Failure::bad_argument(format!("`numbers` holds {odd}, which has no place among numbers")));
    }
    numbers.sort_by(f64::total_cmp);
    let Some(last) = numbers.len().checked_sub(1) else {
        return Err(Failure::bad_argument("`numbers` is empty, and has no percentile").hint("ask `numbers.is_empty()` before"));
    };
    // h = (n - 1) p, between the values at its floor and its ceiling.
    let h = last as f64 * p / 100.0;
    let below = (h.floor() as usize).min(last);
    let above = (below + 1).min(last);
    // Weights instead of a difference, which can be too great for a float.
    let share = h - below as f64;
    Ok(if share == 0.0 { numbers[below] } else { numbers[below] * (1.0 - share) + numbers[above] * share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_those_of_definition_7() {
        // quantile(c(15, 20, 35, 40, 50), c(.05, .3, .4, .5, 1)) of R, whose default it is.
        for (p, expected) in [(5.0, 16.0), (30.0, 23.0), (40.0, 29.0), (50.0, 35.0), (100.0, 50.0), (0.0, 15.0)] {
            let found = of(vec![50.0, 15.0, 40.0, 20.0, 35.0], p).unwrap();
            assert!((found - expected).abs() < 1e-9, "{p}: {found}");
        }
        assert_eq!(of(vec![7.0], 99.9).unwrap(), 7.0);
        assert_eq!(of(vec![f64::MAX, f64::MIN], 50.0).unwrap(), 0.0);
    }

    #[test]
    fn what_has_none_is_said() {
        assert_eq!(of(vec![], 50.0).unwrap_err().message, "`numbers` is empty, and has no percentile");
        assert!(of(vec![1.0, f64::NAN], 50.0).unwrap_err().message.contains("NaN"));
        let bound = PERCENTILE.spec.bind(vec![vec![Value::from(1)].into(), 101.into()]).unwrap_err();
        assert_eq!(bound.message, "`p` must be number 0..100, not 101");
        assert!(PERCENTILE.spec.bind(vec![vec![Value::from("1")].into(), 50.into()]).is_err());
    }

    proptest! {
        #[test]
        fn it_stays_between_the_least_and_the_greatest_and_never_falls(numbers in prop::collection::vec(-1e6..1e6f64, 1..40), p in 0.0..100.0f64) {
            let (least, greatest) = (of(numbers.clone(), 0.0).unwrap(), of(numbers.clone(), 100.0).unwrap());
            let found = of(numbers.clone(), p).unwrap();
            prop_assert!(least - 1e-6 <= found && found <= greatest + 1e-6);
            prop_assert!(of(numbers, (p + 1.0).min(100.0)).unwrap() >= found - 1e-6);
        }
    }
}
