// Between tiny and small: two million words in an hour on two CPU cores. docs/results.md says what it learns.
(import 'lib/bilm.libsonnet') + {
  train_data:: 'fixtures/corpus/train.txt',
  heldout_data:: 'fixtures/corpus/heldout.txt',
  vocabulary_file:: 'fixtures/corpus/vocabulary.txt',
  cell_dim:: 512,
  projection_dim:: 128,
  filters:: [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256]],
  num_samples:: 1024,
  batch_size:: 64,
}
