"""Merkle trees as in Certificate Transparency (RFC 6962, verification as in RFC 9162, 2.1): pure functions on hashes.

A *range* [begin, end) of leaves whose root is wanted always splits into perfect subtrees, given by (level, index): the
2^level leaves from index x 2^level on. Who keeps the roots of perfect subtrees can prove anything about a log of any size
from a few of them.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()

Node = tuple[int, int]
"""A perfect subtree: level, index."""
Range = tuple[int, int]


def leaf_hash(data: bytes) -> bytes:
    """Of a leaf's bytes (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over 2^n hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def subtrees(begin: int, end: int) -> list[Node]:
    """The perfect subtrees of a range, from left to right; of those that proofs ask for, the larger come first."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def fold(roots: Sequence[bytes]) -> bytes:
    """The root of a range from the roots of its subtrees, larger ones first."""
    if not roots:
        return EMPTY_ROOT
    result = roots[-1]
    for left in reversed(roots[:-1]):
        result = node_hash(left, result)
    return result


def _split(begin: int, end: int) -> int:
    """Where a range's left subtree ends: the largest power of two below its length."""
    return begin + (1 << ((end - begin - 1).bit_length() - 1))


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The siblings on the way from a leaf to the root of a log of `size`, the nearest first (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a log of {size}")
    begin, end, found = 0, size, []
    while end - begin > 1:
        middle = _split(begin, end)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The subtrees that prove a log of `old` to be the beginning of one of `new` (RFC 6962, 2.1.2)."""
    if not 0 <= old <= new:
        raise ValueError(f"a log of {new} does not begin with one of {old}")
    if old in (0, new):
        return []
    begin, end, found, complete = 0, new, [], True
    while end != old:
        middle = _split(begin, end)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin, complete = middle, False
    if not complete:
        found.append((begin, end))
    return found[::-1]


def nodes_of(ranges: Iterable[Range]) -> list[Node]:
    """All perfect subtrees that the roots of these ranges are made of."""
    return [node for begin, end in ranges for node in subtrees(begin, end)]


def roots_of(ranges: Iterable[Range], roots: Mapping[Node, bytes]) -> list[bytes]:
    """The root of each range from those of its perfect subtrees."""
    return [fold([roots[node] for node in subtrees(begin, end)]) for begin, end in ranges]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to (RFC 9162, 2.1.3.2); None when its length cannot be right."""
    if not 0 <= index < size or len(proof) != len(inclusion_ranges(index, size)):
        return None
    at, last, result = index, size - 1, leaf
    for sibling in proof:
        if at & 1 or at == last:
            result = node_hash(sibling, result)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        at, last = at >> 1, last >> 1
    return result if last == 0 else None


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the log of `size` with that root has this leaf there."""
    return root_from_inclusion(leaf, index, size, proof) == root


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the older log is the beginning of the newer one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


class Frontier:
    """The growing edge of a log: at most one perfect subtree of each level, enough to add leaves and know the root."""

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        self.size = size
        self._roots = dict(zip((level for level, _ in subtrees(0, size)), roots, strict=True))

    def add(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Add a leaf's hash; the perfect subtrees that it completes, from the leaf up, and their roots."""
        level, root, made = 0, leaf, [((0, self.size), leaf)]
        while level in self._roots:
            root = node_hash(self._roots.pop(level), root)
            level += 1
            made.append(((level, self.size >> level), root))
        self._roots[level] = root
        self.size += 1
        return made

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return fold([self._roots[level] for level in sorted(self._roots, reverse=True)])
