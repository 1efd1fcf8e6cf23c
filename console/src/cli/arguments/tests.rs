//! Command lines, and what they are understood as.

use clap::{CommandFactory, error::ErrorKind};
use zeroserve_shared::config::OnMiss;

use super::*;
use crate::kernel::{AttachOptions, MissChoice};

fn parse(line: &str) -> Result<Command, ErrorKind> {
    Arguments::try_parse_from(line.split(' '))
        .map(|arguments| arguments.command.unwrap_or(Command::Attach(arguments.console)))
        .map_err(|error| error.kind())
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn the_help_states_the_defaults_that_are_used() {
    let help = Arguments::command().render_help().to_string();
    let options = AttachOptions::new("eth0");
    for default in [u32::from(options.port), options.max_routes, options.max_flows] {
        assert!(help.contains(&format!("[default: {default}]")), "{default}: {help}");
    }
}

#[test]
fn an_interface_as_first_word_opens_its_console() {
    let Ok(Command::Attach(console)) = parse("zeroserve-tui eth0 --root site --port 8080") else {
        panic!("not the console");
    };
    assert_eq!(console.interface(), "eth0");
    assert_eq!(console.limits.port, Some(8080));
}

#[test]
fn what_becomes_of_misses_is_one_of_three_words() {
    for (word, choice) in [
        ("handoff", MissChoice::Always(OnMiss::HandOff)),
        ("404", MissChoice::Always(OnMiss::Refuse)),
        ("auto", MissChoice::Auto),
    ] {
        let command = parse(&format!("zeroserve-tui serve eth0 --root s --on-miss {word}"));
        let Ok(Command::Serve(serve)) = command else { panic!("not serve") };
        assert_eq!(serve.limits.options("eth0").on_miss, choice);
    }
    let refused = parse("zeroserve-tui serve eth0 --root s --on-miss 403");
    assert!(matches!(refused, Err(ErrorKind::InvalidValue)));
}

#[test]
fn an_interface_named_like_a_command_can_be_reached() {
    let Ok(Command::Attach(console)) = parse("zeroserve-tui attach demo") else {
        panic!("not the console");
    };
    assert_eq!(console.interface(), "demo");
}

#[test]
fn every_command_of_the_list_is_understood() {
    assert!(matches!(parse("zeroserve-tui serve eth0 --root d --json"), Ok(Command::Serve(_))));
    assert!(matches!(parse("zeroserve-tui status eth0 --json"), Ok(Command::Status(_))));
    assert!(matches!(parse("zeroserve-tui add eth0 /a a"), Ok(Command::Add(_))));
    assert!(matches!(parse("zeroserve-tui replace eth0 /a a"), Ok(Command::Replace(_))));
    assert!(matches!(parse("zeroserve-tui remove eth0 /a"), Ok(Command::Remove(_))));
    let line = "zeroserve-tui redirect eth0 /a https://b/ --status 308 --replace";
    assert!(matches!(parse(line), Ok(Command::Redirect(_))));
    let line = "zeroserve-tui respond eth0 //host/a ok --header X:y --no-compress";
    assert!(matches!(parse(line), Ok(Command::Respond(_))));
    assert!(matches!(parse("zeroserve-tui serve eth0 --config f"), Ok(Command::Serve(_))));
    assert!(matches!(parse("zeroserve-tui config print"), Ok(Command::Config(_))));
    assert!(matches!(parse("zeroserve-tui config print console"), Ok(Command::Config(_))));
    assert!(matches!(parse("zeroserve-tui config check f --json"), Ok(Command::Config(_))));
    assert!(matches!(parse("zeroserve-tui promote eth0 /a"), Ok(Command::Promote(_))));
    let line = "zeroserve-tui promote eth0 --ttl 30s --watch --rules f --json /a";
    assert!(matches!(parse(line), Ok(Command::Promote(_))));
    assert!(matches!(parse("zeroserve-tui demote eth0 //h/a"), Ok(Command::Demote(_))));
    assert!(matches!(parse("zeroserve-tui stop eth0"), Ok(Command::Stop(_))));
    assert!(matches!(parse("zeroserve-tui metrics eth0 --listen"), Ok(Command::Metrics(_))));
    let record = "zeroserve-tui record eth0 --for 60s -o a.zsr";
    assert!(matches!(parse(record), Ok(Command::Record(_))));
    assert!(matches!(parse("zeroserve-tui replay a.zsr --json"), Ok(Command::Replay(_))));
    assert!(matches!(parse("zeroserve-tui completions zsh"), Ok(Command::Completions(_))));
    assert!(matches!(parse("zeroserve-tui man"), Ok(Command::Man(_))));
    assert!(matches!(parse("zeroserve-tui keys"), Ok(Command::Keys)));
    let console = "zeroserve-tui eth0 --theme light --ascii --no-mouse";
    assert!(matches!(parse(console), Ok(Command::Attach(_))));
    assert!(matches!(parse("zeroserve-tui demo"), Ok(Command::Demo(_))));
}

#[test]
fn a_path_or_interface_that_cannot_exist_is_a_mistake_in_the_command_line() {
    for line in [
        "zeroserve-tui remove eth0 a",
        "zeroserve-tui remove eth0 /a?b",
        "zeroserve-tui stop /etc",
        "zeroserve-tui stop ..",
        "zeroserve-tui stop an-overlong-interface-name",
        "zeroserve-tui eth0 --port 0",
        "zeroserve-tui remove eth0 //host",
        "zeroserve-tui promote eth0 /a --ttl 0s",
        "zeroserve-tui add eth0 /a f --header Date:x",
        "zeroserve-tui record eth0 --for 0s -o a",
        "zeroserve-tui record eth0 --for 60 -o a",
        "zeroserve-tui metrics eth0 --listen 9180",
    ] {
        assert_eq!(parse(line).err(), Some(ErrorKind::ValueValidation), "{line}");
    }
    assert_eq!(parse("zeroserve-tui eth0 --theme pink").err(), Some(ErrorKind::InvalidValue));
    assert_eq!(parse("zeroserve-tui --root d").err(), Some(ErrorKind::MissingRequiredArgument));
}
