// A bidirectional language model. The four sizes differ in the lines of their leaf configs (see bilm_small.jsonnet).
//
// What a knob sets can also be overridden on the command line, by its place in the derived part.
{
  local config = self,

  // ---- Required ----

  train_data:: error 'train_data: name the file, or the pattern of files, to train on: one tokenised sentence a line',
  heldout_data:: error 'heldout_data: name the text whose perplexity chooses the best epoch',
  vocabulary_file:: error 'vocabulary_file: name the words that the softmax predicts, by descending count',
  cell_dim:: error 'cell_dim: give the width of the memory of an LSTM layer',
  projection_dim:: error 'projection_dim: give the width of a word vector and of an LSTM layer\'s output',

  // ---- Knobs ----

  num_layers:: 2,
  // [width in characters, number of filters], and the width of a character's embedding.
  filters:: [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
  character_dim:: 16,
  num_highway:: 1,
  max_characters:: 50,

  // Words drawn for the sampled softmax; null for the full one, which is as fast up to a few thousand words.
  num_samples:: 8192,
  dropout:: 0.1,

  // How often a stream forgets what it has read, per window. Text is read on from window to window, but a biLM is used on
  // sentences that begin with nothing before them, and must have seen that. 0 is bilm-tf's way.
  state_reset:: 0.05,

  // Streams of text side by side, and the length of the window that gradients go back through.
  batch_size:: 128,
  num_steps:: 20,
  // Shuffle sentences: for text whose sentences do not follow one another. Running text is better left as it is.
  shuffle:: true,
  num_epochs:: 10,
  // As in the paper. lib/adamw.libsonnet has another optimizer and schedule, which need fewer steps.
  optimizer:: { type: 'elmo_adagrad', lr: 0.2, initial_accumulator_value: 1.0 },
  learning_rate_scheduler:: null,
  grad_norm:: 10.0,
  // 'bfloat16' for training's products of matrices: on GPUs, and the few CPUs that are made for it.
  autocast:: null,
  // On a GPU: launch the LSTMs' steps of a window as one CUDA graph. Not measured yet.
  cuda_graphs:: false,
  // After a crash, `allennlp train … --recover` goes on from the last of these, exactly.
  batches_per_checkpoint:: 1000,
  cuda_device:: -1,
  seed:: 13,

  // ---- Derived ----

  random_seed: config.seed,
  numpy_seed: config.seed,
  pytorch_seed: config.seed,

  dataset_reader: { type: 'elmo_sentences' },
  vocabulary: { type: 'elmo_word_file', file: config.vocabulary_file },
  train_data_path: config.train_data,
  validation_data_path: config.heldout_data,
  model: {
    type: 'language_model',
    options: {
      char_cnn: {
        activation: 'relu',
        embedding: { dim: config.character_dim },
        filters: config.filters,
        max_characters_per_token: config.max_characters,
        n_highway: config.num_highway,
      },
      lstm: {
        cell_clip: 3,
        dim: config.cell_dim,
        n_layers: config.num_layers,
        proj_clip: 3,
        projection_dim: config.projection_dim,
        use_skip_connections: true,
      },
    },
    num_samples: config.num_samples,
    dropout: config.dropout,
    // The scale of bilm-tf's loss, for which its learning rate and clipping were chosen.
    loss_scale: config.num_steps,
    state_reset: config.state_reset,
    autocast: config.autocast,
    cuda_graphs: config.cuda_graphs,
  },

  local loader = {
    type: 'elmo_stream',
    batch_size: config.batch_size,
    num_steps: config.num_steps,
    max_characters: config.max_characters,
  },
  data_loader: loader { shuffle: config.shuffle, seed: config.seed },
  validation_data_loader: loader,
  trainer: {
    num_epochs: config.num_epochs,
    optimizer: config.optimizer,
    learning_rate_scheduler: config.learning_rate_scheduler,
    grad_norm: config.grad_norm,
    validation_metric: '-perplexity',
    checkpointer: { type: 'elmo_whole', save_every_num_batches: config.batches_per_checkpoint },
    callbacks: [{ type: 'elmo_resume' }, { type: 'elmo_sparse_softmax' }, { type: 'elmo_kept_memory' }],
    cuda_device: config.cuda_device,
  },
}
