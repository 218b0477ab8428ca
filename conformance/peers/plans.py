"""What is played with a peer: each plan is one connection. The other end echoes."""

import itertools

CLOSES = (
    (1000, ""), (1000, "done"), (1001, "going away"), (1008, "policy"), (1011, "failed"), (3000, "x" * 123),
    (4000, "κόσμε 🌍"), (4999, ""),
)
TAKEOVERS = tuple(itertools.product((False, True), repeat=2))


def _deflate(server_reset=False, client_reset=False, server_bits=None, client_bits=None):
    return {
        "serverReset": server_reset, "clientReset": client_reset, "serverBits": server_bits, "clientBits": client_bits,
    }


def basics(deflate):
    """One connection for each thing that peers do every day."""
    settings = [None, _deflate()] if deflate else [None]
    for setting in settings:
        packed = "-compressed" if setting else ""
        for act in ("sizes", "fragments", "pings"):
            yield {"name": act + packed, "act": act, "deflate": setting}
        for code, reason in CLOSES:
            name = f"close-{code}-{len(reason.encode())}-bytes{packed}"
            yield {"name": name, "act": "close", "code": code, "reason": reason, "deflate": setting}


def differential(messages, seed, deflate):
    """Random messages, `messages` in all: both contexts kept and reset, every window, and no compression."""
    settings = [None]
    if deflate:
        settings += [_deflate(*reset) for reset in TAKEOVERS]
        settings += [_deflate(server_bits=bits, client_bits=bits) for bits in range(9, 15)]
        settings += [_deflate(True, True, 9, 15), _deflate(False, True, 15, 10), _deflate(True, False, 12, 9)]
    for n, setting in enumerate(settings):
        share = messages // len(settings) + (n < messages % len(settings))
        words = [f"{key}-{value}" for key, value in (setting or {}).items() if value]
        name = "random-" + ("plain" if setting is None else "-".join(words) or "default")
        yield {"name": name, "act": "random", "messages": share, "seed": seed + n, "deflate": setting}
