use super::Reply;

#[test]
fn a_code_is_said_once_in_a_row() {
    let mut reply = Reply::default();
    reply.line(1002, "one");
    reply.line(1002, "two");
    reply.line(1006, "  three");
    reply.line(1002, "four");
    reply.end(0, "");
    assert_eq!(reply.take(), "1002-one\n two\n1006-  three\n1002-four\n0000 \n");
    reply.end(13, "Daemon is up and running");
    assert_eq!(reply.take(), "0013 Daemon is up and running\n");
}

#[test]
fn what_was_sent_still_counts_for_the_code() {
    let mut reply = Reply::default();
    reply.line(1007, "one");
    assert_eq!(reply.take(), "1007-one\n");
    reply.line(1007, "two");
    assert_eq!(reply.take(), " two\n");
}

#[test]
fn no_text_begins_a_line_of_its_own() {
    let mut reply = Reply::default();
    reply.line(1002, "held down: a\n0000 b\u{1b}[2J\tc");
    assert_eq!(reply.take(), "1002-held down: a 0000 b [2J\tc\n");
}
