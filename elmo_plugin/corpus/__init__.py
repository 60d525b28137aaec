"""
From raw documents to what a biLM trains on: sentences, tokens, shards, a vocabulary and token ids.

    documents -> sources -> blocks -> sentences -> tokens -> type ids     (one block at a time; blocks are independent)
    counts of all blocks -> vocabulary and types
    blocks + types -> shuffled shards, held-out apart

Nothing here imports torch or AllenNLP. Reading order: `settings`, `sources`, `blocks`, `lines`, `forms`, `segmenters`,
`words`, `encoding`, `reading`, `splits`, `merging`, `shards`, `prepare`; `prepared`, which reads the result; `joining`,
which puts results together; `engines`, who does the work.
"""
