"""D, closing: the body of Close, codes, and what may follow it (§5.5.1, §7)."""

from case import Chapter
from chapters.rows import fails, same
from frame import CLOSE, Frame, binary, close, last, more, ping, text
from session import ANY_STATUS

CHAPTER = Chapter("D")


def closes(name, item, section, rule, *sent, codes, strict=None, before=(), needs=()):
    """`sent` holds an orderly Close: the peer answers it with one of the codes, and nothing else."""

    def run(lab):
        session = lab.open()
        session.send(*sent)
        # A Close for a cause other than 1000 and 1001 may well count as a failure of the client.
        session.exit = ANY_STATUS
        session.expect_close(strict if strict and lab.options.strict else codes, before)
        session.end()

    CHAPTER.add(name, item, section, rule, run, needs=needs)


# 50, the length of the body. The answer to an empty Close is empty, or says 1000.
closes("empty", 50, "§5.5.1", "A Close may be empty.", close(), codes=(None, 1000), strict=(None, 1000))
fails(CHAPTER, "one-byte", 50, "§5.5.1", "A Close body of one byte holds no code.", Frame(CLOSE, b"\x03"))
closes("code-only", 50, "§5.5.1", "A Close may have a code and no reason.", close(1000), codes=(1000,))
closes("with-reason", 50, "§5.5.1", "A Close may have a reason.", close(1000, b"bye"), codes=(1000,))
closes("reason-of-123", 50, "§5.5", "A reason may have 123 bytes.", close(1000, b"r" * 123), codes=(1000,))
closes("reason-utf8", 50, "§5.5.1", "A reason may be any UTF-8.", close(1000, "κόσμε 🌍".encode()), codes=(1000,))
fails(CHAPTER, "reason-of-124", 50, "§5.5", "A reason of 124 bytes makes the frame too long.",
      close(1000, b"r" * 124))

# 51, codes. "Typically echos the status code it received" (§5.5.1): any answer passes, strictly the same code.
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
    closes(f"code-{code}", 51, "§7.4", f"A Close with {code} is answered.", close(code),
           codes=(code, 1000, None), strict=(code,))
for code in (0, 1, 500, 999):
    fails(CHAPTER, f"code-{code}", 51, "§7.4.2", f"The code {code} is not used.", close(code))
for code in (1005, 1006, 1015):
    fails(CHAPTER, f"code-{code}", 51, "§7.4.1", f"The code {code} must not stand in a Close frame.", close(code))
# Reserved: one day they may mean something, so an answer is no error of the peer's; strictly they are refused.
for code in (1004, 1016, 1100, 1999, 2000, 2999):
    closes(f"code-{code}-answered", 51, "§7.4.2", f"The code {code}, reserved, is answered or refused.", close(code),
           codes=(1002, code, 1000, None), strict=(1002,))
for code in (5000, 9999, 32768, 65535):
    closes(f"code-{code}-answered", 51, "§7.4.2", f"The code {code}, undefined, is answered or refused.", close(code),
           codes=(1002, code, 1000, None), strict=(1002,))
fails(CHAPTER, "bad-code-with-reason", 51, "§7.4.1", "A reason does not make a bad code good.", close(1005, b"why"))

# 53 and 54, nothing after Close, in either direction.
AFTER = {
    "text": (text("late"),),
    "binary": (binary(b"late" * 1000),),
    "ping": (ping(b"late"),),
    "second-close": (close(1001),),
    "garbage": (b"\xff" * 20,),
    "reserved-bit": (text("late", rsv=7),),
    "half-a-frame": (text("late", cut=3),),
    "bad-text": (text(b"\xff"),),
    "continuation": (last("late"),),
}
for name, frames in AFTER.items():
    closes(f"{name}-after-close", 54, "§5.5.1", "What comes after a Close is discarded: one Close comes back.",
           close(1000), *frames, codes=(1000,))
closes("message-before-close", 54, "§5.5.1", "A message before the Close may come back before the Close does.",
       text("hello"), close(1000), codes=(1000,), before=same(text("hello")))
closes("ping-before-close", 56, "§5.5.2", "A ping before the Close may be answered before the Close is.",
       ping(b"hello"), close(1000), codes=(1000,))
closes("pings-around-close", 56, "§5.5.2", "A ping after the Close is not answered.",
       ping(b"before"), close(1000), ping(b"after"), codes=(1000,))


@CHAPTER.case("no-pong-after-close", 56, "§5.5.1", "After the peer's Close comes nothing, not even a pong.")
def no_pong(lab):
    session = lab.open()
    session.send(close(1000), *(ping(bytes([n])) for n in range(20)))
    session.expect_close((1000,))
    session.end()


@CHAPTER.case("both-close-at-once", 54, "§7.1.2", "Where both fail and close at once, each sends one Close.")
def simultaneous(lab):
    session = lab.open()
    session.send(text("bad", rsv=1), close(1000))
    session.expect_fail((1002,))


@CHAPTER.case("close-answered-twice", 54, "§5.5.1", "An answer to a Close that comes twice is not answered.")
def answered_twice(lab):
    session = lab.open()
    session.send(text("bad", rsv=1))
    event = session.expect_close((1002,))
    session.exit = "unclean"
    session.send(close(event.code), close(event.code))
    session.end()


# 55, a Close within a fragmented message. An answer that blames the peer for the lost message is one as well.
closes("inside-message", 55, "§5.5.1", "A Close inside an open message is answered; the message is lost.",
       text("begun", fin=False), close(1000), codes=(1000, 1002), strict=(1000,))
closes("inside-message-then-rest", 55, "§5.5.1", "The rest of the message after the Close is discarded.",
       text("begun", fin=False), more("more"), close(1001), last("end"), codes=(1001, 1000, 1002, None), strict=(1001,))
closes("inside-text-within-code-point", 55, "§5.5.1", "A Close within a code point is no error of the text.",
       text(b"\xe2\x82", fin=False), close(1000), codes=(1000, 1002), strict=(1000,))
