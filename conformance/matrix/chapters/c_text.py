"""C, UTF-8 in text messages and Close reasons (§8.1)."""

from case import Chapter
from chapters.rows import echoes, fails, same
from frame import close, last, more, text

CHAPTER = Chapter("C")

VALID = {
    "nul": "\0", "7f": "\x7f", "80": "\x80", "7ff": "\u07ff", "800": "\u0800", "before-surrogates": "\ud7ff",
    "after-surrogates": "\ue000", "replacement": "\ufffd", "fffe": "\ufffe", "ffff": "\uffff",
    "10000": "\U00010000", "1fffe": "\U0001fffe", "10ffff": "\U0010ffff", "bom": "\ufeffx",
    "mixed": "Hello-µ@ßöäüàá-UTF-8!!", "four-scripts": "κόσμε 世界 🌍 שלום",
}
INVALID = {
    "lone-80": b"\x80", "lone-bf": b"\xbf", "overlong-2": b"\xc0\x80", "overlong-slash": b"\xc0\xaf",
    "overlong-c1": b"\xc1\xbf", "two-then-ascii": b"\xc2 ", "overlong-3": b"\xe0\x80\x80",
    "overlong-3-last": b"\xe0\x9f\xbf", "three-then-ascii": b"\xe1\x80 ", "surrogate-first": b"\xed\xa0\x80",
    "surrogate-last": b"\xed\xbf\xbf", "surrogate-pair": b"\xed\xa0\xbd\xed\xb8\x80", "overlong-4": b"\xf0\x80\x80\x80",
    "overlong-4-last": b"\xf0\x8f\xbf\xbf", "past-10ffff": b"\xf4\x90\x80\x80", "f5": b"\xf5\x80\x80\x80",
    "five-bytes": b"\xf8\x88\x80\x80\x80", "six-bytes": b"\xfc\x84\x80\x80\x80\x80", "fe": b"\xfe", "ff": b"\xff",
}
TRUNCATED = {
    "2-of": b"\xc2", "3-of-1": b"\xe2", "3-of-2": b"\xe2\x82", "4-of-1": b"\xf0", "4-of-2": b"\xf0\x9f",
    "4-of-3": b"\xf0\x9f\x98",
}

for name, sample in VALID.items():
    data = sample.encode()
    echoes(CHAPTER, f"utf8-{name}", 47, "§8.1", "Valid UTF-8 comes back unchanged.", text(data), back=same(text(data)))
    if len(data) > 1:
        echoes(CHAPTER, f"utf8-{name}-in-bytes", 47, "§5.6", "Fragments may part a code point anywhere.",
               text(data[:1], fin=False), *(more(data[n: n + 1]) for n in range(1, len(data))), last(b""),
               back=same(text(data)))

for name, data in INVALID.items():
    rule = f"The bytes {data.hex(' ')} are not UTF-8."
    fails(CHAPTER, f"not-utf8-{name}", 47, "§8.1", rule, text(b"ok " + data + b" ok"), codes=(1007,))
    fails(CHAPTER, f"not-utf8-{name}-in-bytes", 47, "§8.1", f"{rule} Fragments do not hide it.",
          text(b"", fin=False), *(more(data[n: n + 1]) for n in range(len(data))), last(b""), codes=(1007,))
    fails(CHAPTER, f"not-utf8-{name}-at-once", 47, "§8.1", f"{rule} The frame need not end for that to be plain.",
          text(b"ok " + data, length=1000), codes=(1007,), needs=["strict"])

for name, data in TRUNCATED.items():
    rule = f"A message must not end within a code point, here {data.hex(' ')}."
    fails(CHAPTER, f"truncated-{name}", 47, "§8.1", rule, text(b"ok" + data), codes=(1007,))
    fails(CHAPTER, f"truncated-{name}-in-fragment", 47, "§8.1", rule, text(b"ok", fin=False), last(data), codes=(1007,))
    fails(CHAPTER, f"truncated-{name}-then-empty", 47, "§8.1", rule, text(data, fin=False), last(b""), codes=(1007,))

fails(CHAPTER, "not-utf8-in-first-fragment", 47, "§8.1", "The first fragment shows it: the second is not awaited.",
      text(b"\xff", fin=False), codes=(1007,), needs=["strict"])
fails(CHAPTER, "not-utf8-across-fragments-at-once", 47, "§8.1", "The second fragment makes it plain, before its end.",
      text(b"\xf4", fin=False), more(b"\x90", length=50), codes=(1007,), needs=["strict"])
fails(CHAPTER, "not-utf8-after-long-text", 47, "§8.1", "A bad byte late in a long text is found.",
      text(b"a" * 70000 + b"\xff"), codes=(1007,))
fails(CHAPTER, "not-utf8-early-in-long-text", 47, "§8.1", "A bad byte early in a long text is found.",
      text(b"\xc0" + b"a" * 70000), codes=(1007,))
for offset in range(60, 68):
    data = b"a" * offset + "🌍".encode() + b"b" * 70
    echoes(CHAPTER, f"utf8-4-bytes-at-{offset}", 47, "§8.1", "A code point may stand across any block of the text.",
           text(data), back=same(text(data)))
    bad = b"a" * offset + b"\xf0\x9f\x8c\x41" + b"b" * 70
    fails(CHAPTER, f"not-utf8-4-bytes-at-{offset}", 47, "§8.1", "A broken code point is found in any block.",
          text(bad), codes=(1007,))

# 48, the reason of a Close. It is text, so 1007; as a malformed frame, 1002 is true as well.
for name, data in {**INVALID, **TRUNCATED}.items():
    fails(CHAPTER, f"close-reason-{name}", 48, "§5.5.1", f"A reason that is not UTF-8, {data.hex(' ')}, is refused.",
          close(1000, b"bye " + data), codes=(1007, 1002))
