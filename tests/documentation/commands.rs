//! The page of commands has every command and every option of the command line.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};
use lrs_gateway::cli::Cli;

use super::{assert_generated, page};

/// Returns the commands that the program has, with their options. `help` is clap's own.
fn commands() -> Vec<Command> {
    let mut cli = Cli::command();
    cli.build();
    cli.get_subcommands().filter(|command| command.get_name() != "help").cloned().collect()
}

fn options(command: &Command) -> Vec<&Arg> {
    command.get_arguments().filter(|option| option.get_id() != "help").collect()
}

/// Returns an option with its value, as it is in a command line.
fn usage(option: &Arg) -> String {
    let name = option.get_long().expect("every option has a long name");
    let value = option.get_value_names().filter(|_| option.get_action().takes_values());
    value.map_or_else(|| format!("--{name}"), |value| format!("--{name} {}", value.join(" ")))
}

fn default(option: &Arg) -> String {
    let values: Vec<String> = option.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect();
    match (option.is_required_set(), option.get_env()) {
        _ if !option.get_action().takes_values() => String::new(),
        (true, Some(variable)) => format!("required, here or in the environment variable `{}`", variable.display()),
        (true, None) => "required".to_owned(),
        (false, _) => values.join(", "),
    }
}

#[test]
fn commands_page_has_every_option_of_every_command() {
    for command in commands() {
        let about = command.get_about().expect("every command has a description");
        let mut table = format!("\n{about}.\n\n| option | default | meaning |\n|---|---|---|\n");
        for option in options(&command) {
            let help = option.get_help().expect("every option has a description").to_string();
            writeln!(table, "| `{}` | {} | {help} |", usage(option), default(option)).expect("text");
        }
        assert_generated("docs/COMMANDS.md", command.get_name(), &format!("{table}\n"));
    }
}

#[test]
fn commands_page_has_a_section_for_every_command_and_no_other() {
    let page = page("docs/COMMANDS.md");
    let mut sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let commands = commands();
    let mut names: Vec<&str> = commands.iter().map(Command::get_name).collect();
    sections.sort_unstable();
    names.sort_unstable();
    assert_eq!(sections, names);
}
