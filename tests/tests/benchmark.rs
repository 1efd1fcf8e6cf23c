//! What README says of speed is what was measured.

use std::fs;

use anyhow::Result;
use serde_json::Value;
use zeroserve_tests::compare::published;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const MEND: &str = "cargo run -p zeroserve-tests --bin compare -- --redraw makes it again";

#[test]
fn the_chart_and_the_tables_of_readme_are_what_the_recorded_benchmark_yields() -> Result<()> {
    let read = |name: &str| fs::read_to_string(format!("{REPOSITORY}/{name}"));
    let all: Value = serde_json::from_str(&read("assets/benchmark.json")?)?;
    assert!(read("assets/benchmark.svg")? == published::chart(&all)?, "the chart: {MEND}");
    let readme = read("README.md")?;
    assert!(
        readme == published::with_tables(&readme, &published::tables(&all)?)?,
        "README: {MEND}"
    );
    Ok(())
}
