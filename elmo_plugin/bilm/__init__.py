"""
The bidirectional language model in pure PyTorch: torch, numpy and h5py are all it needs.

Reading order is the order of the data: `options`, `vocabulary`, `characters`, `encoded_text`, `streams` → `word_types`,
`char_cnn` → `projected_lstm` (`ragged`, `state`, `ops/`) → `bilm` → `softmax` (`sampler`) or `scalar_mix`; files in
`weights` and `sidecar`.
"""
