//! Finds the scenarios: every file of `src/scenarios` is one, and needs to be named nowhere else.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("src/scenarios");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut names = Vec::new();
    for file in std::fs::read_dir(&folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    let modules =
        names.iter().map(|name| format!("#[path = {:?}]\nmod {name};\n", folder.join(format!("{name}.rs"))));
    let entries = names.iter().map(|name| format!("    ({name:?}, &{name}::SCENARIO),\n"));
    let code = format!(
        "{}\n/// Every scenario, by name.\npub(crate) const ALL: &[(&str, &crate::scenario::Scenario)] = &[\n{}];\n",
        modules.collect::<String>(),
        entries.collect::<String>()
    );
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("scenarios.rs"), code)?;
    Ok(())
}
