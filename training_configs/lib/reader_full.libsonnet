// The sizes of Clark and Gardner (2018) and Peters et al. (2018), for a GPU and a whole data set: add it behind a leaf.
//
//   (import 'squad_with_elmo.jsonnet') + (import 'lib/reader_full.libsonnet') + {
//     train_data:: …, dev_data:: …, word_vectors:: 'glove.6B.300d.txt', elmo:: { options_file: …, weight_file: … },
//   }
{
  word_dim:: 300,
  character_dim:: 20,
  character_filters:: 100,
  character_widths:: [5],
  encoder:: 'gru',
  hidden_size:: 100,
  elmo_at_output:: true,
  batch_size:: 45,
  num_epochs:: 20,
  learning_rate:: 0.001,
}
