// Any other task: AllenNLP's own reader and model for the classification of texts, with ELMo. No code is needed, only
// the indexer `elmo_character_ids` and the embedder `elmo`.
//
//   allennlp train training_configs/basic_classifier.jsonnet -s OUT
//
// Your own files are JSON lines, {"text": "…", "label": "…"}; `allennlp predict` takes {"sentence": "…"}.
local options_file = 'fixtures/bilm/options.json';
local weight_file = 'fixtures/bilm/weights.hdf5';

// Twice the biLM's projection, since its two directions stand side by side.
local elmo_dim = 32;
local word_dim = 16;

{
  random_seed: 13,
  numpy_seed: 13,
  pytorch_seed: 13,

  dataset_reader: {
    type: 'text_classification_json',
    tokenizer: { type: 'elmo_spacy', language: 'en' },
    token_indexers: {
      tokens: { type: 'single_id', lowercase_tokens: true },
      elmo: { type: 'elmo_character_ids' },
    },
  },
  train_data_path: 'fixtures/classified/train.jsonl',
  validation_data_path: 'fixtures/classified/dev.jsonl',
  datasets_for_vocab_creation: ['train'],

  model: {
    type: 'basic_classifier',
    text_field_embedder: {
      token_embedders: {
        tokens: { type: 'embedding', embedding_dim: word_dim },
        elmo: { type: 'elmo', options_file: options_file, weight_file: weight_file },
      },
    },
    seq2vec_encoder: { type: 'bag_of_embeddings', embedding_dim: word_dim + elmo_dim, averaged: true },
    dropout: 0.1,
  },

  data_loader: { batch_size: 4, shuffle: true },
  validation_data_loader: { batch_size: 8 },
  trainer: {
    optimizer: { type: 'adam', lr: 0.01 },
    num_epochs: 15,
    validation_metric: '+accuracy',
  },
}
