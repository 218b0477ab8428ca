"""D, how connections end: who closes first, resets, half-closed and broken connections (§7.1)."""

import time

from case import Chapter, Wrong
from chapters.rows import same
from frame import close, ping, text
from session import ANY_STATUS, CLEAN, UNCLEAN
from wire import EOF, Silence

CHAPTER = Chapter("D")
SERVER, CLIENT = ("server",), ("client",)


@CHAPTER.case("server-ends-first", 57, "§7.1.1", "The server ends the connection, without waiting for the client.",
              on=SERVER)
def server_first(lab):
    session = lab.open()
    started = time.monotonic()
    session.finish()
    if time.monotonic() - started > 2:
        raise Wrong(f"the server took {time.monotonic() - started:.1f} s to end the connection")
    if session.wire.ended != EOF:
        raise Wrong(f"the connection ended with a {session.wire.ended}")


@CHAPTER.case("client-waits", 57, "§7.1.1", "The client lets the server end the connection first.", on=CLIENT,
              needs=["strict"])
def client_waits(lab):
    session = lab.open()
    session.send(close(1000))
    session.expect_close((1000,))
    try:
        session.wire.fill(0.2)
    except Silence:
        session.end()
        return
    raise Wrong("the client ended the connection before the server did")


@CHAPTER.case("client-gives-up", 57, "§7.1.1", "A server that never ends the connection is not waited for without end.",
              on=CLIENT, needs=["slow"])
def client_gives_up(lab):
    session = lab.open()
    session.send(close(1000))
    session.expect_close((1000,))
    session.exit = ANY_STATUS
    session.wire.read_to_end(30)


@CHAPTER.case("unanswered-close", 57, "§7.1.1", "A Close that is never answered is not waited for without end.",
              needs=["slow"])
def unanswered(lab):
    session = lab.open()
    session.send(text("bad", rsv=1))
    session.expect_close((1002,))
    session.exit = UNCLEAN
    session.wire.read_to_end(30)


@CHAPTER.case("failure-ends-though-open", 57, "§7.1.7", "After a failure the peer ends the connection by itself.",
              on=SERVER, needs=["slow"])
def failure_with_chatter(lab):
    session = lab.open()
    session.send(text("bad", rsv=1))
    session.expect_close((1002,))
    end = time.monotonic() + 30
    while not session.wire.broken and time.monotonic() < end:
        session.wire.send(ping(b"still here").encode(session.masking))
        time.sleep(0.05)
    if not session.wire.broken:
        raise Wrong("the server still read after 30 s")


# 58, no reset may destroy the Close on its way.
for size in (0, 1, 100, 10_000, 200_000):
    def lingers(lab, size=size):
        session = lab.open()
        session.send(text("bad", rsv=1), b"\x55" * size)
        session.expect_fail((1002,), lingering=lab.options.strict)

    CHAPTER.add(f"failure-with-{size}-bytes-behind", 58, "§7.1.7",
                "The Close arrives though the peer has not read what came after the violation.", lingers)

for size in (0, 100, 200_000):
    def close_lingers(lab, size=size):
        session = lab.open()
        session.send(close(1000), b"\x55" * size)
        session.expect_close((1000,))
        session.end(lingering=lab.options.strict)

    CHAPTER.add(f"close-with-{size}-bytes-behind", 58, "§7.1.1",
                "The answer to a Close arrives though bytes come after it.", close_lingers)


@CHAPTER.case("failure-while-sending", 58, "§7.1.7", "The Close arrives though we go on sending.")
def failure_while_sending(lab):
    session = lab.open()
    session.send(text("bad", rsv=1))
    for _ in range(50):
        session.wire.send(text("x" * 1000).encode(session.masking))
        time.sleep(0.001)
    session.expect_fail((1002,), lingering=lab.options.strict)


# 59, ends without Close.
def abrupt(name, rule, sent, end, on=None):
    """The suite ends the connection without a Close; the peer must notice."""

    def run(lab):
        session = lab.open()
        session.exit = UNCLEAN
        session.send(*sent)
        if end == "reset":
            time.sleep(0.05)
            session.wire.reset()
            if lab.role == "server":
                lab.open().finish()
            return
        session.wire.shutdown()
        try:
            session.wire.read_to_end()
        except Silence as silence:
            raise Wrong(f"the {lab.role} kept the half-closed connection: {silence}") from None

    CHAPTER.add(name, 59, "§7.1.5", rule, run, on)


for end in ("half-close", "reset"):
    abrupt(f"{end}-at-once", "An end without Close is noticed, and is not clean.", (), end)
    abrupt(f"{end}-in-header", "An end within a frame's header is noticed.", (text("hello", cut=1),), end)
    abrupt(f"{end}-in-payload", "An end within a frame is noticed.", (text("hello", cut=4),), end)
    abrupt(f"{end}-in-message", "An end within a message is noticed.", (text("hello", fin=False),), end)
    abrupt(f"{end}-after-message", "An end after a message is noticed.", (text("hello"),), end)


@CHAPTER.case("half-close-after-close", 59, "§7.1.1", "The answer to a Close comes over a half-closed connection.",
              on=SERVER)
def half_close_after_close(lab):
    session = lab.open()
    session.send(close(1000))
    session.wire.shutdown()
    session.expect_close((1000,))
    session.end()


@CHAPTER.case("half-close-after-message-and-close", 59, "§7.1.1", "A message, a Close and an end in one segment.",
              on=SERVER)
def half_close_after_all(lab):
    session = lab.open()
    session.send(text("hello"), close(1000))
    session.wire.shutdown()
    session.expect_close((1000,), same(text("hello")))
    session.end()


@CHAPTER.case("one-broken-of-many", 59, "§7.1.5", "A connection that breaks does not disturb another.", on=SERVER)
def one_of_many(lab):
    kept, broken = lab.open(), lab.open()
    broken.send(text("x" * 1000, cut=500))
    broken.wire.reset()
    kept.echo(text("still here"))
    kept.finish()


@CHAPTER.case("exit-after-clean-close", 59, "§7.1.4", "After a clean close the command exits with 0.", on=CLIENT)
def clean_exit(lab):
    session = lab.open()
    session.echo(text("hello"))
    session.exit = CLEAN
    session.finish()
