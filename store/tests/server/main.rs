//! The embedded server's child process, for tests.

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    assert_eq!(arguments.next().as_deref(), Some(store::embedded::SUBCOMMAND.as_ref()));
    store::embedded::child_main(arguments)
}
