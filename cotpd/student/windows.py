"""Sub-words of a post cut into windows that an encoder can read, and the positions of the states in them."""

from itertools import chain
from typing import NamedTuple

import numpy as np

Ids = np.ndarray  # of int64


class TextWindows(NamedTuple):
    """Windows of sub-words, special tokens not included.

    State i, which the head reads, is at position ``position_of_state[i]`` of window ``window_of_state[i]``.
    """

    windows: tuple[Ids, ...]
    window_of_state: Ids
    position_of_state: Ids


def cut_windows(subwords: list[list[int]], room: int) -> TextWindows:
    """Cut words into windows that overlap by a quarter; each word is read where it has most context.

    Args:
        subwords: The ids of each word's sub-words, none empty and none longer than ``room``.
        room: The most sub-words of a window.

    Returns:
        The windows, and for each word the position of its first sub-word.
    """
    ends = np.cumsum([len(ids) for ids in subwords])
    starts = ends - [len(ids) for ids in subwords]
    flat = np.asarray(list(chain.from_iterable(subwords)), np.int64)
    window_of_state, position_of_state = np.zeros(len(subwords), np.int64), np.zeros(len(subwords), np.int64)
    best_context = np.full(len(subwords), -1)
    windows: list[Ids] = []

    first = last = 0  # words of the window: first to last, exclusive
    while last < len(subwords):
        low = starts[first]
        last = int(np.searchsorted(ends, low + room, side="right"))
        high, words = ends[last - 1], slice(first, last)

        before = starts[words] - low if first else room  # nothing is missing before the first window
        after = high - ends[words] if last < len(subwords) else room
        context = np.broadcast_to(np.minimum(before, after), last - first)
        better = np.flatnonzero(context > best_context[words]) + first
        best_context[better] = context[better - first]
        window_of_state[better], position_of_state[better] = len(windows), starts[better] - low

        windows.append(flat[low:high])
        first = min(max(first + 1, int(np.searchsorted(starts, high - room // 4))), last)
    return TextWindows(tuple(windows), window_of_state, position_of_state)


def insert_markers(
    subwords: list[list[int]], head: tuple[int, int], tail: tuple[int, int], vocabulary: int, room: int
) -> TextWindows:
    """Put markers around head and tail, in one window.

    Of a text that is too long, the sub-words nearest to the markers stay; of a pair that is too far apart even for
    that, the middle between them goes.

    Args:
        subwords: The ids of each word's sub-words.
        head, tail: Words, end exclusive.
        vocabulary: The id of head's opening marker; the next ids are its closing one, and tail's two.
        room: The most sub-words of the window, markers included.

    Returns:
        The window, and the positions of the two opening markers.
    """
    opening = {head[0]: [vocabulary], tail[0]: [vocabulary + 2]}
    if head[0] == tail[0]:
        opening = {head[0]: [vocabulary, vocabulary + 2]}
    flat: list[int] = []
    for index, ids in enumerate(subwords):
        flat += opening.get(index, []) + ids
        flat += [vocabulary + 1] * (index == head[1] - 1) + [vocabulary + 3] * (index == tail[1] - 1)

    window = np.asarray(flat, np.int64)
    markers = np.flatnonzero(window >= vocabulary)
    if len(window) > room:
        distance = np.abs(np.arange(len(window))[:, None] - markers).min(1)
        if markers[-1] - markers[0] < room:
            distance[markers[0] : markers[-1] + 1] = 0
        window = window[np.sort(np.argsort(distance, kind="stable")[:room])]

    positions = np.asarray([np.flatnonzero(window == vocabulary + marker)[0] for marker in (0, 2)])
    return TextWindows((window,), np.zeros(2, np.int64), positions)
