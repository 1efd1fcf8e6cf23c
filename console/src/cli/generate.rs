//! `completions` and `man`, from the one definition of the command line.

use std::{fs, io::Write as _, path::Path};

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::{
    Failure,
    arguments::Arguments,
    instruments::{CompletionsArguments, ManArguments},
    output,
};

/// Prints what makes a shell complete the command line.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<(), Failure> {
    Ok(output::text(&script(arguments.shell)?)?)
}

fn script(shell: clap_complete::Shell) -> anyhow::Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "zeroserve-tui", &mut script);
    Ok(String::from_utf8(script)?)
}

/// Prints the manual page, or writes all of them to a folder.
pub(super) fn man(arguments: &ManArguments) -> Result<(), Failure> {
    let Some(folder) = &arguments.folder else {
        return Ok(output::text(&page(Arguments::command())?)?);
    };
    let pages = write_pages(folder)
        .with_context(|| format!("cannot write manual pages to {}", folder.display()))?;
    Ok(output::text(&format!("{pages} pages in {}\n", folder.display()))?)
}

fn page(command: clap::Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    page.flush()?;
    Ok(String::from_utf8(page)?)
}

fn write_pages(folder: &Path) -> anyhow::Result<usize> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)?;
    let ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("zeroserve-tui");
    Ok(fs::read_dir(folder)?.flatten().filter(|entry| ours(&entry.file_name())).count())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use clap_complete::Shell;

    use super::*;

    /// Every command, as the words behind the program's name, with its long options.
    fn definition() -> Vec<(Vec<String>, Vec<String>)> {
        let mut root = Arguments::command();
        root.build();
        let mut all = Vec::new();
        collect(&root, &[], &mut all);
        assert!(all.len() > 15);
        all
    }

    fn collect(
        command: &clap::Command,
        words: &[String],
        all: &mut Vec<(Vec<String>, Vec<String>)>,
    ) {
        let options = command.get_arguments().filter(|option| !option.is_hide_set());
        let options = options.filter_map(|option| option.get_long().map(String::from)).collect();
        all.push((words.to_vec(), options));
        let shown =
            |command: &&clap::Command| command.get_name() != "help" && !command.is_hide_set();
        for below in command.get_subcommands().filter(shown) {
            let words = [words, &[below.get_name().to_owned()]].concat();
            collect(below, &words, all);
        }
    }

    #[test]
    fn completions_name_every_command_and_option() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell).unwrap();
            for (command, options) in definition() {
                let known = command.last().is_none_or(|word| script.contains(word));
                assert!(known, "{shell}: no {command:?}");
                for option in options {
                    let written = if shell == Shell::Fish {
                        format!("-l {option}")
                    } else {
                        format!("--{option}")
                    };
                    assert!(script.contains(&written), "{shell}: no {written} of {command:?}");
                }
            }
        }
    }

    #[test]
    fn bash_zsh_and_fish_understand_their_completions() {
        let folder = tempfile::tempdir().unwrap();
        for (shell, program) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")]
        {
            let file = folder.path().join(program);
            fs::write(&file, script(shell).unwrap()).unwrap();
            let output = Command::new(program)
                .arg("-n")
                .arg(&file)
                .output()
                .unwrap_or_else(|_| panic!("{program}, which tests/run installs"));
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && errors.is_empty(), "{program}: {errors}");
        }
    }

    #[test]
    fn there_is_a_page_for_every_command_that_man_shows_without_complaint() {
        let folder = tempfile::tempdir().unwrap();
        let pages = write_pages(folder.path()).unwrap();
        assert_eq!(pages, definition().len());
        for (command, options) in definition() {
            let name = [vec!["zeroserve-tui".to_owned()], command.clone()].concat().join("-");
            let file = folder.path().join(format!("{name}.1"));
            let output = Command::new("man")
                .args(["--warnings", "-l"])
                .arg(&file)
                .env("MANWIDTH", "100")
                .env("LC_ALL", "C.UTF-8")
                .output()
                .expect("man, which tests/run installs");
            let text = String::from_utf8_lossy(&output.stdout).replace('\u{2010}', "-");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && errors.is_empty(), "{name}: {errors}");
            for option in options {
                assert!(text.contains(&format!("--{option}")), "{name}: no --{option} in {text}");
            }
        }
    }
}
