//! `warren import`: a contract made of an AsyncAPI document, or of RabbitMQ definitions.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::import::{self, Failed, Kind, Options};

use super::{Exit, print_data};

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Make a contract of an AsyncAPI document or of RabbitMQ definitions
///
/// Reads an AsyncAPI 3 document (YAML or JSON, of `warren asyncapi`, amqp-contract or others), or what `rabbitmqctl
/// export_definitions` writes, and writes a contract that passes `warren check --no-components`. What the file does not
/// say is filled in so that no message is lost; what a contract cannot say is left out; both are told on stderr and as
/// comments in the contract. Exits with 65 if no contract can be made.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file to import; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What the file is; found out if not said
    #[arg(long, value_enum, value_name = "WHAT")]
    from: Option<From>,

    /// The virtual host to import, where definitions hold several
    #[arg(long, value_name = "NAME")]
    vhost: Option<String>,

    /// Write the contract to this file, in place of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Overwrite the file of `--output`
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    Asyncapi,
    Definitions,
}

impl Import {
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let name = if self.is_stdin() { "stdin".to_owned() } else { self.file.display().to_string() };
        let text = match self.read() {
            Ok(text) => text,
            Err(error) => {
                eprintln!("error: `{name}` cannot be read: {error}");
                return Ok(Exit::Refused);
            }
        };
        let kind = self.from.map(|from| match from {
            From::Asyncapi => Kind::Asyncapi,
            From::Definitions => Kind::Definitions,
        });
        let options = Options { kind, vhost: self.vhost.as_deref(), file: &name };
        let imported = match import::import(&text, options) {
            Ok(imported) => imported,
            Err(Failed { says, hint }) => {
                let hint = hint.map(|hint| format!("\n\nhint: {hint}")).unwrap_or_default();
                eprintln!("error: `{name}` cannot be imported: {says}{hint}");
                return Ok(Exit::Refused);
            }
        };
        match &self.output {
            None => print_data(&imported.yaml)?,
            Some(path) => {
                if let Err(error) = self.write(path, &imported.yaml) {
                    let hint = match error.kind() {
                        ErrorKind::AlreadyExists => "\n\nhint: `--force` overwrites it",
                        _ => "",
                    };
                    eprintln!("error: `{}` cannot be written: {error}{hint}", path.display());
                    return Ok(Exit::Usage);
                }
            }
        }
        for note in &imported.notes {
            eprintln!("note: {note}");
        }
        Ok(Exit::Done)
    }

    fn is_stdin(&self) -> bool {
        self.file == Path::new("-")
    }

    fn read(&self) -> std::io::Result<String> {
        let reader: Box<dyn Read> = if self.is_stdin() {
            Box::new(std::io::stdin())
        } else {
            Box::new(std::fs::File::open(&self.file)?)
        };
        let mut bytes = Vec::new();
        reader.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(std::io::Error::other("it is larger than 16 MiB"));
        }
        String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8"))
    }

    fn write(&self, path: &Path, text: &str) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true);
        let mut file = if self.force {
            options.create(true).truncate(true).open(path)?
        } else {
            options.create_new(true).open(path)?
        };
        file.write_all(text.as_bytes())
    }
}
