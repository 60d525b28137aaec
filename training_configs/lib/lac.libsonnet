// Chinese lexical analysis: characters, with ELMo or without, a bidirectional LSTM, a conditional random field over the
// places of characters in words and the words' classes.
//
// A leaf config adds the required fields and changes knobs (see lac_with_elmo.jsonnet). What a knob sets can also be
// overridden on the command line, by its place in the derived part.
(import 'task.libsonnet') + {
  local config = self,

  // ---- Required ----

  train_data:: error 'train_data: name the file of word/tag pairs, or the pattern of files, to train on',
  dev_data:: error 'dev_data: name the file by which the best epoch is chosen',
  test_data:: error 'test_data: name the file to evaluate on at the end, or null for none',
  elmo:: error 'elmo: give {options_file: …, weight_file: …} of a biLM of characters, or null to train without ELMo',

  // ---- Knobs ----

  // Where words and tags stand, {word_column: 1, tag_column: 3}, for files in CoNLL columns; null for word/tag.
  columns:: null,
  // What the files' tags become: 'pfr' (People's Daily), 'upos' (Universal Dependencies), or null: they are classes.
  tag_table:: 'pfr',
  // Classes of tags that the table does not have: {tag: 'class'}.
  more_tags:: null,
  // Whether a name of several words is one.
  join_names:: true,
  // Whether full-width digits and Latin letters are read as those of ASCII.
  half_width:: true,
  // Longer sentences are cut.
  max_characters:: 300,
  // How places in words are written. BIO has half as many tags, and is twice as fast.
  tag_scheme:: 'BIOES',
  // Classes of which name_f1 tells.
  names:: ['PER', 'LOC', 'ORG'],

  // Characters that occur less often in training are unknown ones.
  min_count:: 2,
  character_dim:: 64,
  // A text file of vectors, `character number number …`, of width character_dim; null to start from random ones.
  character_vectors:: null,

  elmo_dropout:: 0.5,
  // The biLM learns with the task, at this rate; null keeps it frozen. 0.0001 is a good first try.
  elmo_learning_rate:: null,
  // Strength of the L2 regularizer on the weights of ELMo's layers, before their softmax; null for none.
  mix_l2:: null,
  // padded_lstm, or lstm, the same function, which a CPU trains more slowly; its width in each direction.
  encoder:: 'padded_lstm',
  hidden_size:: 128,
  num_layers:: 1,
  dropout:: 0.3,
  // Whether to tag, for metrics, while training.
  decode_in_training:: false,

  batch_size:: 8,
  num_epochs:: 15,
  // Epochs without a better F1 on dev_data after which training stops.
  patience:: 5,
  learning_rate:: 0.003,
  grad_norm:: 5.0,
  seed:: 13,

  // ---- Derived ----

  dataset_reader: {
    type: 'elmo_lac',
    columns: config.columns,
    tag_table: config.tag_table,
    more_tags: config.more_tags,
    join_names: config.join_names,
    half_width: config.half_width,
    max_characters: config.max_characters,
    tag_scheme: config.tag_scheme,
    token_indexers: {
      characters: { type: 'single_id', namespace: 'characters' },
      [if config.elmo != null then 'elmo']: { type: 'elmo_character_ids' },
    },
  },
  vocabulary: { min_count: { characters: config.min_count } },

  model+: {
    type: 'elmo_tagger',
    tag_scheme: config.tag_scheme,
    names: config.names,
    decode_in_training: config.decode_in_training,
    text_field_embedder+: {
      token_embedders+: {
        characters: {
          type: 'embedding',
          vocab_namespace: 'characters',
          embedding_dim: config.character_dim,
          [if config.character_vectors != null then 'pretrained_file']: config.character_vectors,
        },
      },
    },
    encoder: {
      type: config.encoder,
      hidden_size: config.hidden_size,
      num_layers: config.num_layers,
      bidirectional: true,
    },
  },

  data_loader: {
    batch_sampler: { type: 'bucket', batch_size: config.batch_size, sorting_keys: ['tokens'] },
  },
  validation_data_loader: {
    batch_sampler: {
      type: 'bucket',
      batch_size: 4 * config.batch_size,
      sorting_keys: ['tokens'],
      padding_noise: 0,
      shuffle: false,
    },
  },
}
