"""Names of Keras that about 300 public example scripts use, with the number of scripts."""

USAGE = """
layers: Dense 254, Dropout 143, Input 127, Conv2D 112, Layer 105, BatchNormalization 69,
 Embedding 67, Flatten 66, LayerNormalization 59, Rescaling 52, MultiHeadAttention 47,
 RandomFlip 47, Reshape 46, Add 43, MaxPooling2D 39, GlobalAveragePooling2D 33, Activation 32,
 GlobalAveragePooling1D 26, RandomRotation 26, Conv1D 25, LSTM 25, Resizing 25, Normalization
 24, Concatenate 23, UpSampling2D 22, LeakyReLU 22, StringLookup 22, Conv2DTranspose 21,
 RandomZoom 21, TextVectorization 20, concatenate 20, ReLU 18, add 17, AveragePooling2D 14,
 RandomCrop 14, GlobalMaxPooling1D 14, GlobalMaxPooling2D 13, Bidirectional 12, SeparableConv2D
 10, Lambda 9, ZeroPadding2D 8, RandomContrast 7, RandomTranslation 7, CenterCrop 7, GRU 7,
 GlobalAvgPool2D 5, Dot 5, InputLayer 5, MaxPool2D 5, MaxPool1D 4, DepthwiseConv2D 4, Softmax 4,
 GlobalAvgPool1D 4, Conv1DTranspose 3, GroupNormalization 3, AveragePooling1D 3, MaxPooling1D 3,
 Multiply 3, Conv3D 3, Cropping2D 2, Attention 2, IntegerLookup 2, CategoryEncoding 2, multiply
 2, Permute 2, ConvLSTM2D 2, RepeatVector 2, RNN 2, average 2, SimpleRNN 2, Masking 2
ops: shape 19, reshape 17, cast 15, sum 15, expand_dims 14, matmul 13, arange 12,
 convert_to_tensor 11, mean 11, convert_to_numpy 10, concatenate 9, transpose 9, argmax 7,
 square 7, tile 6, squeeze 6, ones 5, ones_like 5, softmax 5, minimum 4, clip 4, exp 4, cos 4,
 sqrt 4, split 4, stack 4, tensordot 4, image.extract_patches 4, zeros 4, top_k 3, sin 3, eye 3,
 one_hot 3, gelu 3, divide 3, relu 3, linspace 2, log 2, arccos 2, zeros_like 2, einsum 2, max
 2, where 2, sigmoid 2, image.resize 2, slice 2, broadcast_to 2, maximum 2, not_equal 2, take 2,
 array 2, cumsum 2
metrics: Mean 53, SparseCategoricalAccuracy 42, BinaryAccuracy 15, CategoricalAccuracy 14,
 SparseTopKCategoricalAccuracy 13, MeanAbsoluteError 13, TopKCategoricalAccuracy 10, Metric 8,
 AUC 7, Precision 5, Recall 5, MeanAbsolutePercentageError 4, FalseNegatives 3, FalsePositives
 3, MeanSquaredError 3, CosineSimilarity 2, TrueNegatives 2, TruePositives 2
utils: get_file 75, to_categorical 28, set_random_seed 20, load_img 19, plot_model 18,
 img_to_array 16, array_to_img 13, image_dataset_from_directory 9, Sequence 6,
 text_dataset_from_directory 6, save_img 5, pad_sequences 3, timeseries_dataset_from_array 2,
 normalize 2, PyDataset 2
losses: SparseCategoricalCrossentropy 65, MeanSquaredError 35, CategoricalCrossentropy 29,
 BinaryCrossentropy 25, Loss 12, binary_crossentropy 9, MeanAbsoluteError 6,
 categorical_crossentropy 4, sparse_categorical_crossentropy 4, KLDivergence 4, Huber 3,
 mean_absolute_error 2
optimizers: Adam 151, SGD 22, RMSprop 17, AdamW 15, schedules.LearningRateSchedule 13,
 schedules.ExponentialDecay 9, schedules.CosineDecay 7, schedules.PiecewiseConstantDecay 4,
 Adagrad 2, schedules.InverseTimeDecay 2
initializers: get 9, Constant 7, RandomNormal 4, serialize 4, GlorotUniform 3, Zeros 3,
 VarianceScaling 2, HeNormal 2, GlorotNormal 2
callbacks: ModelCheckpoint 61, EarlyStopping 53, Callback 37, ReduceLROnPlateau 14, TensorBoard
 9, LambdaCallback 5, History 2
preprocessing: image.array_to_img 10, image.img_to_array 8, image.load_img 7, image.save_img 4,
 timeseries_dataset_from_array 3, sequence.pad_sequences 3, image_dataset_from_directory 2
backend: clear_session 7, epsilon 3, backend 2
activations: softmax 11, gelu 8, swish 4, sigmoid 2, selu 2, get 2
models: Model 27, load_model 26, Sequential 9, clone_model 6
regularizers: l2 13, get 5, L2 4, Regularizer 3
random: uniform 8, normal 6, SeedGenerator 5, dropout 2
mixed_precision: set_global_policy 9, Policy 2
config: disable_traceback_filtering 3
: Model 259, Input 144, Sequential 135, Layer 6
"""


def usage() -> dict[str, int]:
    """Number of scripts by name, ``layers.Dense``."""
    found = {}
    for line in USAGE.strip().replace("\n ", " ").splitlines():
        module, _, names = line.partition(": ")
        for entry in names.split(", "):
            name, count = entry.split()
            found[f"{module.strip(':')}.{name}".lstrip(".")] = int(count)
    return found
