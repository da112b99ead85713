//! Where the messages come from: one body, a file, or standard input, line by line, with a limit on each line.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail};
use tokio::sync::mpsc;

/// Lines that are read ahead.
const AHEAD_MAX: usize = 1024;

/// One line of input.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// Without its line end; only its beginning if it is too long.
    pub(super) body: Vec<u8>,
    /// How much of the input it is, line end included.
    pub(super) bytes: u64,
    /// It is longer than a message may be.
    pub(super) too_long: bool,
}

/// An open input.
pub(super) struct Input {
    /// The lines, as they are read. Empty lines are left out.
    pub(super) lines: mpsc::Receiver<Line>,
    /// How large the input is, where that is known.
    pub(super) bytes: Option<u64>,
    /// What stopped the reading, if something did.
    pub(super) error: Arc<Mutex<Option<anyhow::Error>>>,
}

impl Input {
    pub(super) fn open(data: Option<&str>, file: Option<&Path>, line_bytes_max: u64) -> anyhow::Result<Self> {
        let (sender, lines) = mpsc::channel(AHEAD_MAX);
        let error = Arc::new(Mutex::new(None));
        let (reader, bytes): (Box<dyn Read + Send>, _) = match (data, file) {
            (Some(data), _) => {
                let body = data.as_bytes().to_vec();
                let (bytes, too_long) = (body.len() as u64, body.len() as u64 > line_bytes_max);
                sender
                    .try_send(Line { number: 1, body, bytes, too_long })
                    .context("no room for one message")?;
                return Ok(Self { lines, bytes: Some(bytes), error });
            }
            (None, Some(path)) if path != Path::new("-") => {
                let file =
                    std::fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
                let bytes = file.metadata()?.len();
                (Box::new(file), Some(bytes))
            }
            (None, named) => {
                if named.is_none() && std::io::stdin().is_terminal() {
                    bail!(
                        "nothing to publish\n\nhint: give a body with --data, a file with --file, or lines on standard input"
                    );
                }
                (Box::new(std::io::stdin()), None)
            }
        };
        let failed = Arc::clone(&error);
        // Not a task: reading standard input cannot be cancelled, and must not keep the program from ending.
        std::thread::Builder::new().name("input".to_owned()).spawn(move || {
            if let Err(error) = read(BufReader::new(reader), line_bytes_max, &sender)
                && let Ok(mut slot) = failed.lock()
            {
                *slot = Some(error.context("cannot read the input to its end"));
            }
        })?;
        Ok(Self { lines, bytes, error })
    }
}

fn read(mut reader: impl BufRead, line_bytes_max: u64, lines: &mpsc::Sender<Line>) -> anyhow::Result<()> {
    for number in 1.. {
        let mut body = Vec::new();
        // Two more than the limit, so that a line of just that length still has room for its line end.
        let mut bytes = reader.by_ref().take(line_bytes_max + 2).read_until(b'\n', &mut body)? as u64;
        if bytes == 0 {
            return Ok(());
        }
        let ended = body.last() == Some(&b'\n');
        while body.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            body.pop();
        }
        let too_long = body.len() as u64 > line_bytes_max;
        if !ended {
            bytes += reader.skip_until(b'\n')? as u64;
        }
        let blank = body.iter().all(u8::is_ascii_whitespace);
        if !blank && lines.blocking_send(Line { number, body, bytes, too_long }).is_err() {
            return Ok(()); // nobody listens any more
        }
    }
    Ok(())
}
