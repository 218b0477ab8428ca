"""Rows of the tables: what is sent, and what must come of it, in either role."""

from frame import NAMES


def fails(chapter, name, item, section, rule, *sent, codes=(1002,), before=(), on=None, needs=()):
    """Once `sent` has gone out, the peer must fail the connection with one of the codes."""

    def run(lab):
        session = lab.open()
        session.send(*sent)
        session.expect_fail(codes, before)

    chapter.add(name, item, section, rule, run, on, needs)


def echoes(chapter, name, item, section, rule, *sent, back, on=None, needs=()):
    """`sent` is right: these messages come back, pings are answered, and the connection closes in order."""

    def run(lab):
        session = lab.open()
        session.send(*sent)
        session.expect_all(back)
        session.finish()

    chapter.add(name, item, section, rule, run, on, needs)


def same(*frames):
    """The echoes of whole messages."""
    return [(NAMES[frame.opcode], frame.payload) for frame in frames]
