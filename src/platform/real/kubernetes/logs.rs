//! Log lines of pods, merged by time while they stream.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use futures::future::try_join_all;
use http_body_util::BodyExt;
use jiff::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::lines::{Filter, Line, Splitter};
use super::{Call, Kubernetes, MOST_BYTES, error, path, with_query};
use crate::map;
use crate::model::operation::{LogAnswer, LogQuery, LogSource, Since};
use crate::model::{Failure, Kind, ResourceKind, Value};
use crate::platform::Cx;
use crate::platform::masking;
use crate::platform::save::LogFile;

/// So many logs can be merged: all of them are open at the same time.
const MOST_STREAMS: usize = 200;
/// So many blocks of lines of one log wait for those of the others.
const WAITING: usize = 2;
/// What a line costs beside its text.
const LINE_OVERHEAD: usize = 64;

impl Kubernetes {
    /// Log lines as the query wants them. `tail` counts before `grep`, as in `kubectl logs --tail | grep`.
    pub(in super::super) async fn logs(&self, query: &LogQuery, cx: &Cx<'_>) -> Result<Value, Failure> {
        if query.sources.len() > MOST_STREAMS {
            let message = format!("{} logs are too many to be read at the same time", query.sources.len());
            return Err(Failure::new(Kind::TooLarge, message).hint(format!("choose at most {MOST_STREAMS} pods, by their labels")));
        }
        let filter = Filter::new(query)?;
        if query.answer == LogAnswer::Count {
            let counts = try_join_all(query.sources.iter().map(|source| self.stream(query, source, &filter, None))).await?;
            let line = |(LogSource { pod, container, .. }, lines): (&LogSource, i64)| {
                map! { "pod" => pod.as_str(), "container" => container.as_str(), "lines" => lines }
            };
            return Ok(query.sources.iter().zip(counts).map(line).collect::<Vec<_>>().into());
        }
        let (senders, receivers): (Vec<_>, Vec<_>) = query.sources.iter().map(|_| channel(WAITING)).unzip();
        let streams = query.sources.iter().zip(senders).map(|(source, sender)| self.stream(query, source, &filter, Some(sender)));
        let merged = async {
            match &query.answer {
                LogAnswer::Save(save) => {
                    let mut file = LogFile::begin(save, cx.mask)?;
                    merge(receivers, |source, line| {
                        let time = shown(line.at);
                        file.line(&time, (source, &query.sources[source]), line.into_text(cx.mask))
                    })
                    .await?;
                    Ok((Vec::new(), Some(file)))
                }
                LogAnswer::Lines(limit) => Ok((kept(receivers, *limit).await?, None)),
                LogAnswer::Count => Ok((Vec::new(), None)),
            }
        };
        let (_, (lines, file)) = futures::future::try_join(try_join_all(streams), merged).await?;
        if let Some(file) = file {
            // Only now no stream has broken off.
            return file.finish();
        }
        let mut lines: Vec<_> = lines.into_iter().map(|(source, line)| (source, shown(line.at), line.into_text(cx.mask))).collect();
        for log in 0..query.sources.len() {
            masking::lines(lines.iter_mut().filter(|(source, ..)| *source == log).map(|(.., text)| text), cx.mask);
        }
        let line = |(source, time, text): (usize, String, String)| {
            let LogSource { pod, container, .. } = &query.sources[source];
            map! { "time" => time, "pod" => pod.as_str(), "container" => container.as_str(), "line" => text }
        };
        Ok(lines.into_iter().map(line).collect::<Vec<_>>().into())
    }

    /// Reads one log to its end; its lines go to `sender` in blocks. Answers how many counted.
    async fn stream(
        &self,
        query: &LogQuery,
        source: &LogSource,
        filter: &Filter,
        sender: Option<Sender<Vec<Line>>>,
    ) -> Result<i64, Failure> {
        let target = format!("pod/{}", source.pod);
        let kind = ResourceKind::named("pod")?;
        let path = path(kind, Some(&source.namespace), Some(&source.pod), Some("log"))?;
        let call = Call::get(with_query(path, pairs(query, source, filter)), &target);
        let session = self.session().await?;
        let mut body = self.send(&session, &call).await.map_err(waiting)?.into_body();
        let mut splitter = Splitter::new(filter);
        let mut found = sender.is_some().then(Vec::new);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| error::broken_off(&error, &call))?;
            let Ok(data) = frame.into_data() else { continue };
            splitter.push(&data, &mut found);
            if let (Some(sender), Some(lines)) = (&sender, found.as_mut().filter(|lines| !lines.is_empty())) {
                // Nobody takes it only where the merge has failed, which is the failure to be told.
                let _ = sender.send(std::mem::take(lines)).await;
            }
        }
        splitter.end(&mut found);
        if let (Some(sender), Some(lines)) = (sender, found) {
            let _ = sender.send(lines).await;
        }
        Ok(splitter.count)
    }
}

fn pairs(query: &LogQuery, source: &LogSource, filter: &Filter) -> Vec<(&'static str, String)> {
    let mut pairs = vec![("container", source.container.clone())];
    if filter.stamped {
        pairs.push(("timestamps", "true".to_owned()));
    }
    if let Some(tail) = query.tail {
        pairs.push(("tailLines", tail.to_string()));
    }
    match query.since {
        // Whole seconds only, and zero is refused.
        Some(Since::Ago(since)) => pairs.push(("sinceSeconds", since.as_millis().div_ceil(1000).max(1).to_string())),
        // To the second; the rest is left out here.
        Some(Since::Time(time)) => pairs.push(("sinceTime", time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
        None => {}
    }
    if query.previous {
        pairs.push(("previous", "true".to_owned()));
    }
    pairs
}

/// The refusal of a log that is still to come.
fn waiting(failure: Failure) -> Failure {
    if failure.kind != Kind::BadArgument || !failure.message.contains("waiting to start") {
        return failure;
    }
    Failure { kind: Kind::Unavailable, ..failure }.hint("it has logged nothing yet; `events` or `describe` say what it waits for")
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

/// One log's lines, those that have come.
struct Coming {
    blocks: Receiver<Vec<Line>>,
    lines: std::vec::IntoIter<Line>,
}

impl Coming {
    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.lines.next() {
                return Some(line);
            }
            self.lines = self.blocks.recv().await?.into_iter();
        }
    }
}

/// Hands out the lines of several logs by time; of one instant those of the earlier log first, each log's in its own order.
async fn merge(logs: Vec<Receiver<Vec<Line>>>, mut take: impl FnMut(usize, Line) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut logs: Vec<Coming> = logs.into_iter().map(|blocks| Coming { blocks, lines: Vec::new().into_iter() }).collect();
    let mut heads: Vec<Option<Line>> = Vec::with_capacity(logs.len());
    for log in &mut logs {
        heads.push(log.next().await);
    }
    let mut order: BinaryHeap<Reverse<(Timestamp, usize)>> =
        heads.iter().enumerate().filter_map(|(number, head)| Some(Reverse((head.as_ref()?.at, number)))).collect();
    while let Some(Reverse((_, number))) = order.pop() {
        let Some(line) = heads[number].take() else { continue };
        take(number, line)?;
        heads[number] = logs[number].next().await;
        order.extend(heads[number].as_ref().map(|head| Reverse((head.at, number))));
    }
    Ok(())
}

/// The merged lines, the last `limit` of them; more than a script may hold is a failure.
async fn kept(logs: Vec<Receiver<Vec<Line>>>, limit: Option<u64>) -> Result<Vec<(usize, Line)>, Failure> {
    let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut lines = VecDeque::new();
    let mut used = 0;
    merge(logs, |number, line| {
        used += line.text.len() + LINE_OVERHEAD;
        lines.push_back((number, line));
        while lines.len() > most {
            used -= lines.pop_front().map_or(0, |(_, line): (usize, Line)| line.text.len() + LINE_OVERHEAD);
        }
        if used > MOST_BYTES {
            return Err(Failure::new(Kind::TooLarge, "the log lines are more than 8 MiB")
                .hint("ask for less with `tail`, `since`, `grep`, `limit` or `count`, or stream them to a file with `save`"));
        }
        Ok(())
    })
    .await?;
    Ok(lines.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: i64, text: &str, filter: &Filter) -> Vec<Line> {
        let mut found = Some(Vec::new());
        let at = Timestamp::from_second(second).unwrap();
        Splitter::new(filter).push(format!("{} {text}\n", shown(at)).as_bytes(), &mut found);
        found.unwrap()
    }

    #[tokio::test]
    async fn logs_are_merged_by_time_while_they_come() {
        let query = LogQuery {
            sources: vec![],
            tail: None,
            since: None,
            previous: false,
            grep: None,
            answer: LogAnswer::Lines(None),
            timeout: std::time::Duration::ZERO,
        };
        let filter = Filter::new(&query).unwrap();
        let logs = [vec![(1, "a1"), (1, "a2"), (5, "a5")], vec![(1, "b1"), (4, "b4")], vec![], vec![(0, "d0"), (9, "d9")]];
        let merged = async |limit| {
            let (senders, receivers): (Vec<_>, Vec<_>) = logs.iter().map(|_| channel(1)).unzip();
            let sends = logs.iter().zip(senders).map(async |(lines, sender)| {
                for (second, text) in lines {
                    sender.send(line(*second, text, &filter)).await.map_err(|_| ())?;
                }
                Ok::<(), ()>(())
            });
            let (_, kept) = futures::future::join(try_join_all(sends), kept(receivers, limit)).await;
            kept.unwrap().into_iter().map(|(_, line)| line.into_text(&|text| text)).collect::<Vec<_>>()
        };
        assert_eq!(merged(None).await, ["d0", "a1", "a2", "b1", "b4", "a5", "d9"]);
        assert_eq!(merged(Some(2)).await, ["a5", "d9"]);
    }

    #[tokio::test]
    async fn more_than_a_script_may_hold_is_too_large_unless_few_are_wanted() {
        let (text, time) = ("x".repeat(1 << 20), Timestamp::UNIX_EPOCH);
        let lines = || (0..9).map(|_| Line::of(time, &text)).collect::<Vec<_>>();
        let kept = async |limit| {
            let (sender, receiver) = channel(1);
            sender.send(lines()).await.unwrap();
            drop(sender);
            kept(vec![receiver], limit).await
        };
        assert_eq!(kept(None).await.unwrap_err().kind, Kind::TooLarge);
        assert_eq!(kept(Some(3)).await.unwrap().len(), 3);
    }
}
