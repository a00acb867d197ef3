//! For tests: the embedded server's child process, and `setup`, which fetches the library for them.

// Tests may stop on what they did not expect.
#![allow(clippy::panic, clippy::print_stderr)]

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(word) if word == store::embedded::SUBCOMMAND => store::embedded::child_main(arguments),
        Some(word) if word == "setup" => match store::embedded::fetch(&|line| eprintln!("setup: {line}")) {
            Ok(library) => eprintln!("setup: the ClickHouse library is {}", library.display()),
            Err(why) => panic!("{why}"),
        },
        other => panic!("{other:?}: expected {} or setup", store::embedded::SUBCOMMAND),
    }
}
