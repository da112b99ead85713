//! Writes guests that no compiler would make into a folder, and beside them `hostile.tsv`: a line for each that means harm,
//! with what has to come of it (name, keys of `handler`, end, class or number, text).

mod module;
mod others;
mod zoo;

use std::io::Write;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: hostile FOLDER");
        std::process::exit(64);
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let mut table = Vec::new();
    for hostile in zoo::all() {
        write_new(&folder.join(format!("{}.wasm", hostile.name)), &hostile.component)?;
        let (end, what, says) = hostile.end.fields();
        writeln!(table, "{}\t{}\t{end}\t{what}\t{says}", hostile.name, hostile.handler)?;
    }
    write_new(&folder.join("suspicious.wasm"), &others::suspicious())?;
    write_new(&folder.join("bomb.wasm"), &others::bomb())?;
    // Last: where it is, all of them are.
    write_new(&folder.join("hostile.tsv"), &table)
}

/// In one step: whoever reads the file sees the old content or the new.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&new, content)?;
    std::fs::rename(new, path)
}
