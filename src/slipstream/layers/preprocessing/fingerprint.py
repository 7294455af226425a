"""Hashes of text that stay the same everywhere and for ever.

`fingerprint64` is FarmHash's Fingerprint64 (Pike, Alakuijala, 2014), `keyed_hash64` is SipHash-2-4
(Aumasson, Bernstein, 2012), `chain64` joins two fingerprints.
"""

from __future__ import annotations

from struct import unpack_from

_M = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _rotate(x: int, by: int) -> int:
    """Rotate right."""
    return (x >> by | x << (64 - by)) & _M


def _mix(x: int) -> int:
    return x ^ (x >> 47)


def _join(u: int, v: int, factor: int) -> int:
    a = _mix((u ^ v) * factor & _M)
    return _mix((v ^ a) * factor & _M) * factor & _M


def fingerprint64(data: bytes) -> int:
    """FarmHash Fingerprint64 of some bytes, ``0 … 2**64 - 1``."""
    size = len(data)
    if size > 64:
        return _long(data)
    if size > 32:
        return _to_64(data)
    factor = _K2 + size * 2
    if size > 16:
        a, b = unpack_from("<QQ", data)
        d, c = unpack_from("<QQ", data, size - 16)
        a, c, d = a * _K1 & _M, c * factor & _M, d * _K2 & _M
        first = _rotate(a + b & _M, 43) + _rotate(c, 30) + d
        return _join(first & _M, a + _rotate(b + _K2 & _M, 18) + c & _M, factor)
    if size >= 8:
        a = unpack_from("<Q", data)[0] + _K2 & _M
        b = unpack_from("<Q", data, size - 8)[0]
        c = _rotate(b, 37) * factor + a & _M
        d = (_rotate(a, 25) + b) * factor & _M
        return _join(c, d, factor)
    if size >= 4:
        first, last = unpack_from("<I", data)[0], unpack_from("<I", data, size - 4)[0]
        return _join(size + (first << 3), last, factor)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _mix((y * _K2 & _M) ^ (z * _K0 & _M)) * _K2 & _M
    return _K2


def _to_64(data: bytes) -> int:
    size = len(data)
    factor = _K2 + size * 2
    a, b, e, f = unpack_from("<QQQQ", data)
    g, h, d, c = unpack_from("<QQQQ", data, size - 32)
    a, c, d = a * _K2 & _M, c * factor & _M, d * _K2 & _M
    y = _rotate(a + b & _M, 43) + _rotate(c, 30) + d & _M
    z = _join(y, a + _rotate(b + _K2 & _M, 18) + c & _M, factor)
    e = e * factor & _M
    g, h = (y + g) * factor & _M, (z + h) * factor & _M
    first = _rotate(e + f & _M, 43) + _rotate(g, 30) + h
    return _join(first & _M, e + _rotate(f + a & _M, 18) + g & _M, factor)


def _weak(block: tuple[int, ...], a: int, b: int) -> tuple[int, int]:
    w, x, y, z = block
    a = a + w & _M
    b = _rotate(b + a + z & _M, 21)
    c = a
    a = a + x + y & _M
    return a + z & _M, b + _rotate(a, 44) + c & _M


def _long(data: bytes) -> int:
    x, seed = 81 * _K2 & _M, 81
    y = seed * _K1 + 113 & _M
    z = _mix(y * _K2 + 113 & _M) * _K2 & _M
    v, w = (0, 0), (0, 0)
    x = x + unpack_from("<Q", data)[0] & _M
    last = (len(data) - 1) // 64 * 64
    for place in range(0, last, 64):
        block = unpack_from("<8Q", data, place)
        x = _rotate(x + y + v[0] + block[1] & _M, 37) * _K1 & _M
        y = _rotate(y + v[1] + block[6] & _M, 42) * _K1 & _M
        x ^= w[1]
        y = y + v[0] + block[5] & _M
        z = _rotate(z + w[0] & _M, 33) * _K1 & _M
        v = _weak(block[:4], v[1] * _K1 & _M, x + w[0] & _M)
        w = _weak(block[4:], z + w[1] & _M, y + block[2] & _M)
        z, x = x, z
    factor = _K1 + ((z & 0xFF) << 1)
    block = unpack_from("<8Q", data, len(data) - 64)
    w = (w[0] + (len(data) - 1 & 63) & _M, w[1])
    v = (v[0] + w[0] & _M, v[1])
    w = (w[0] + v[0] & _M, w[1])
    x = _rotate(x + y + v[0] + block[1] & _M, 37) * factor & _M
    y = _rotate(y + v[1] + block[6] & _M, 42) * factor & _M
    x ^= w[1] * 9 & _M
    y = y + v[0] * 9 + block[5] & _M
    z = _rotate(z + w[0] & _M, 33) * factor & _M
    v = _weak(block[:4], v[1] * factor & _M, x + w[0] & _M)
    w = _weak(block[4:], z + w[1] & _M, y + block[2] & _M)
    z, x = x, z
    first = _join(v[0], w[0], factor) + _mix(y) * _K0 + z
    return _join(first & _M, _join(v[1], w[1], factor) + x & _M, factor)


def keyed_hash64(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 of some bytes under a key of two 64-bit numbers."""
    k0, k1 = key[0] & _M, key[1] & _M
    state = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for place in range(0, len(padded), 8):
        word = unpack_from("<Q", padded, place)[0]
        state[3] ^= word
        _sip_rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _sip_rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _sip_rounds(state: list[int], rounds: int) -> None:
    a, b, c, d = state
    for _ in range(rounds):
        a = a + b & _M
        b = _rotate(b, 64 - 13) ^ a
        a = _rotate(a, 64 - 32)
        c = c + d & _M
        d = _rotate(d, 64 - 16) ^ c
        a = a + d & _M
        d = _rotate(d, 64 - 21) ^ a
        c = c + b & _M
        b = _rotate(b, 64 - 17) ^ c
        c = _rotate(c, 64 - 32)
    state[:] = a, b, c, d


def chain64(first: int, second: int) -> int:
    """One fingerprint for two in this order."""
    factor = 0xC6A4A7935BD1E995
    result = (first & _M) ^ factor
    result ^= _mix((second & _M) * factor & _M) * factor & _M
    result = result * factor & _M
    return _mix(_mix(result) * factor & _M)
