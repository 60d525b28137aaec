// Overrides of an arm with ELMo: its vectors from the folder STORE, and from the biLM in the folder BILM what that lacks.
local embedder = 'model.text_field_embedder.token_embedders.elmo.', bilm = std.extVar('BILM');
{
  [embedder + 'type']: 'elmo_precomputed',
  [embedder + 'store']: std.extVar('STORE'),
  [embedder + 'options_file']: bilm + '/options.json',
  [embedder + 'weight_file']: bilm + '/weights.hdf5',
}
