"""SNAP: the full release of which Twitter-2017 is the cleaned part, in the same lines.

It has a name of its own so that a report says which of the two was read; the files themselves do not differ.
"""

from dataclasses import replace

from cotpd.data.readers import twitter

FORMAT = replace(
    twitter.FORMAT,
    name="snap",
    title="SNAP: as twitter, the full release; ask for it by name, the lines are the same",
)
