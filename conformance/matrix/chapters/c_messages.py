"""C, messages: fragments, interleaved control frames, limits, and any split of the bytes (§5.4)."""

from case import Chapter
from chapters.rows import echoes, fails, same
from frame import CLOSE, Frame, binary, last, more, ping, pong, text

CHAPTER = Chapter("C")

# 43 and 46, control frames inside a message.
for kind in (text, binary):
    name = kind.__name__
    echoes(CHAPTER, f"{name}-with-ping-inside", 43, "§5.4", "A ping inside a message is answered and disturbs nothing.",
           kind(b"frag", fin=False), ping(b"p"), last("ment"), back=same(kind(b"fragment")))
    echoes(CHAPTER, f"{name}-with-pong-inside", 43, "§5.4", "A pong inside a message is passed over.",
           kind(b"frag", fin=False), pong(b"p"), last("ment"), back=same(kind(b"fragment")))
    echoes(CHAPTER, f"{name}-with-pings-everywhere", 43, "§5.4", "Pings may stand before, between and after fragments.",
           ping(b"1"), kind(b"a", fin=False), ping(b"2"), ping(b"3"), more("b"), pong(), ping(b"4"), last("c"),
           ping(b"5"), back=same(kind(b"abc")))


@CHAPTER.case("pong-before-message-ends", 46, "§5.5.2", "A ping is answered while the message around it is still open.")
def pong_at_once(lab):
    session = lab.open()
    session.send(text("a", fin=False), ping(b"now"))
    session.expect("pong", b"now")
    session.send(last("b"))
    session.expect("text", b"ab")
    session.finish()


@CHAPTER.case("every-ping-of-one-at-a-time", 46, "§5.5.3", "A pong carries the payload of its ping.")
def pings_one_by_one(lab):
    session = lab.open()
    for payload in (b"", b"\0", b"\xff" * 125, "§".encode(), bytes(range(125))):
        session.send(ping(payload))
        session.expect("pong", payload)
    session.finish()


# 44, empty fragments.
EMPTY = {
    "first": (text("", fin=False), last("ab")),
    "middle": (text("a", fin=False), more(""), last("b")),
    "last": (text("ab", fin=False), last("")),
    "first-and-last": (text("", fin=False), more("ab"), last("")),
    "several": (text("", fin=False), more(""), more("a"), more(""), more(""), more("b"), more(""), last("")),
}
for name, frames in EMPTY.items():
    echoes(CHAPTER, f"empty-fragment-{name}", 44, "§5.4", "Fragments may be empty.", *frames, back=same(text("ab")))
echoes(CHAPTER, "all-fragments-empty", 44, "§5.4", "A message of empty fragments is an empty message.",
       text("", fin=False), more(""), last(""), back=same(text("")))
echoes(CHAPTER, "empty-binary-fragments", 44, "§5.4", "A binary message of empty fragments stays binary.",
       binary(b"", fin=False), last(""), back=same(binary(b"")))
for count in (2, 10, 100, 1000):
    echoes(CHAPTER, f"{count}-fragments", 44, "§5.4", f"A message may come in {count} fragments.",
           binary(b"0", fin=False), *(more(b"%d" % (n % 10)) for n in range(1, count - 1)), last(b"!"),
           back=same(binary(b"".join(b"%d" % (n % 10) for n in range(count - 1)) + b"!")))
echoes(CHAPTER, "fragments-of-every-size", 44, "§5.4", "Fragments of one message may differ in their length form.",
       binary(b"a", fin=False), more(b"b" * 126), more(b"c" * 65536), more(b"d" * 125), last(b"e" * 300),
       back=same(binary(b"a" + b"b" * 126 + b"c" * 65536 + b"d" * 125 + b"e" * 300)))
echoes(CHAPTER, "messages-in-one-segment", 45, "§5.4", "Messages that come in one segment come back in order.",
       *(text(f"message {n}") for n in range(100)), back=same(*(text(f"message {n}") for n in range(100))))

# 45, any split of the same bytes gives the same messages.
CONVERSATIONS = {
    "whole": ((text("hello"), binary(b"\0\1\2"), text("")), same(text("hello"), binary(b"\0\1\2"), text(""))),
    "fragments": (
        (text("κό", fin=False), ping(b"hi"), more("σμ"), more(""), last("ε"), binary(b"z")),
        same(text("κόσμε"), binary(b"z")),
    ),
    "16-bit-length": ((binary(b"y" * 126), text("after")), same(binary(b"y" * 126), text("after"))),
}
for name, (frames, back) in CONVERSATIONS.items():
    def split_everywhere(lab, frames=frames, back=back):
        session = lab.open()
        at = 1
        while True:
            data = session.encode(*frames)
            session.wire.send_parts([data[:at], data[at:]], pause=0.001)
            session.expect_all(back)
            at += 1
            if at >= len(data):
                break
        session.finish()

    def dribble(lab, frames=frames, back=back):
        session = lab.open()
        data = session.encode(*frames)
        session.wire.send_parts([data[n: n + 1] for n in range(len(data))], pause=0.0005)
        session.expect_all(back)
        session.finish()

    CHAPTER.add(f"split-{name}", 45, "§5.4", "A split of the bytes at any place gives the same messages.",
                split_everywhere)
    CHAPTER.add(f"dribble-{name}", 45, "§5.4", "Bytes that come one by one give the same messages.", dribble)

DRIBBLED = {
    "reserved-bit": ((text("good"), text("bad", rsv=1)), (1002,)),
    "opcode": ((text("good"), Frame(3, b"x")), (1002,)),
    "long-ping": ((text("good"), ping(b"x" * 126)), (1002,)),
    "bad-text": ((text("good"), text(b"a\xff")), (1007,)),
    "close-of-one-byte": ((text("good"), Frame(CLOSE, b"x")), (1002,)),
}
for name, (frames, codes) in DRIBBLED.items():
    def dribble_wrong(lab, frames=frames, codes=codes):
        session = lab.open()
        data = session.encode(*frames)
        session.sent_close = False  # a malformed Close is none
        session.wire.send_parts([data[n: n + 1] for n in range(len(data))], pause=0.0005)
        session.expect_fail(codes, same(text("good")))

    CHAPTER.add(f"dribble-{name}", 45, "§5.4", "Bytes that come one by one give the same failure.", dribble_wrong)


# Limits, where they are known.
@CHAPTER.case("message-at-limit", 49, "§10.4", "A message of the limit's length comes back.", needs=["max_message"])
def at_limit(lab):
    session = lab.open()
    session.echo(binary(bytes(range(256)) * (lab.options.max_message // 256) + b"r" * (lab.options.max_message % 256)))
    session.finish()


@CHAPTER.case("frame-past-limit", 49, "§7.4.1", "A frame longer than the limit is refused when its header has come.",
              needs=["max_message"])
def frame_past_limit(lab):
    session = lab.open()
    session.send(binary(length=lab.options.max_message + 1, form=64 if lab.options.max_message > 65534 else None))
    session.expect_fail((1009,))


@CHAPTER.case("fragments-past-limit", 49, "§7.4.1", "The limit holds for the sum of the fragments.",
              needs=["max_message"])
def fragments_past_limit(lab):
    session = lab.open()
    half = lab.options.max_message // 2
    session.send(binary(bytes(half), fin=False), more(bytes(half)))
    session.send(more(length=lab.options.max_message - 2 * half + 1))
    session.expect_fail((1009,))


@CHAPTER.case("fragment-count-at-limit", 49, "§10.4", "A message of as many fragments as are allowed comes back.",
              needs=["max_fragments"])
def fragments_at_limit(lab):
    session = lab.open()
    count = lab.options.max_fragments
    session.send(binary(b"x", fin=False), *[more(b"x")] * (count - 2), last(b"x"))
    session.expect("binary", b"x" * count)
    session.finish()


@CHAPTER.case("fragment-count-past-limit", 49, "§10.4", "One fragment more is refused, empty or not.",
              needs=["max_fragments"])
def fragments_past_count(lab):
    session = lab.open()
    session.send(binary(b"", fin=False), *[more(b"")] * lab.options.max_fragments)
    session.expect_fail((1009, 1008, 1002))


@CHAPTER.case("big-message-in-small-segments", 45, "§5.4", "A message of 64 KiB in segments of 1 KiB comes back.")
def small_segments(lab):
    session = lab.open()
    message = binary(bytes(range(256)) * 256)
    data = session.encode(message)
    session.wire.send_parts([data[n: n + 1024] for n in range(0, len(data), 1024)], pause=0.0002)
    session.expect_all(same(message))
    session.finish()


fails(CHAPTER, "violation-after-messages", 58, "§7.1.7", "Messages before a violation may come back, none after it.",
      text("one"), text("two"), text("bad", rsv=1), text("never"), before=same(text("one"), text("two")))
