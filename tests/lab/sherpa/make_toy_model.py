#!/usr/bin/env python3
"""Writes toy models for sherpa-onnx: the right names, shapes, metadata and states, and weights that hear loudness instead of words.

Usage: make_toy_model.py DIR      (makes DIR/t-one and DIR/zipformer; needs nothing but Python 3)

A tone of mean amplitude 500 to 2000 is the letter д, a louder one а, a quieter one nothing. So a test can "say" "да" with
two tones, through the whole native path. ONNX is protobuf; the few messages that are needed are encoded here by hand.
"""
import os
import struct
import sys

FLOAT, INT32, INT64, FLOAT16 = 1, 6, 7, 10
DTYPE = {FLOAT: "f", INT32: "i", INT64: "q"}


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def num(field, value):
    return varint(field << 3) + varint(value & (2**64 - 1))


def sub(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, dims, kind, values):  # TensorProto
    raw = struct.pack(f"<{len(values)}{DTYPE[kind]}", *values)
    return b"".join(num(1, d) for d in dims) + num(2, kind) + sub(8, name) + sub(9, raw)


def attribute(name, value):  # AttributeProto
    if isinstance(value, list):
        return sub(1, name) + b"".join(num(8, v) for v in value) + num(20, 7)
    return sub(1, name) + num(3, value) + num(20, 2)


def node(op, inputs, outputs, **attributes):  # NodeProto
    return (b"".join(sub(1, i) for i in inputs) + b"".join(sub(2, o) for o in outputs) + sub(4, op)
            + b"".join(sub(5, attribute(k, v)) for k, v in attributes.items()))


def info(name, kind, dims):  # ValueInfoProto; a dim that is a text is free
    shape = b"".join(sub(1, num(1, d) if isinstance(d, int) else sub(2, d)) for d in dims)
    return sub(1, name) + sub(2, sub(1, num(1, kind) + sub(2, shape)))


def model(path, nodes, weights, inputs, outputs, metadata):
    graph = (b"".join(sub(1, n) for n in nodes) + sub(2, "toy") + b"".join(sub(5, w) for w in weights)
             + b"".join(sub(11, i) for i in inputs) + b"".join(sub(12, o) for o in outputs))
    with open(path, "wb") as file:
        file.write(num(1, 9) + sub(7, graph) + sub(8, sub(1, "") + num(2, 18))
                   + b"".join(sub(14, sub(1, k) + sub(2, str(v))) for k, v in metadata.items()))


def hears(loudness, logits, size, blank, d, a):
    """Nodes and weights from a loudness [.., 1] to logits [.., size]: blank below 0.5, д below 2, а above."""
    slope, offset = [0.0] * size, [-20.0] * size
    slope[blank], offset[blank] = 0.0, 4.0
    slope[d], offset[d] = 8.0, 0.0
    slope[a], offset[a] = 16.0, -16.0
    nodes = [node("MatMul", [loudness, "slope"], ["sloped"]), node("Add", ["sloped", "offset"], [logits])]
    return nodes, [tensor("slope", [1, size], FLOAT, slope), tensor("offset", [size], FLOAT, offset)]


def t_one(folder, state=64):
    """signal int32 [B, 2400, 1] and state float16 [B, S] to log-probs [B, 10, 35] and the next state."""
    os.makedirs(folder, exist_ok=True)
    letters = list("абвгдежзийклмнопрстуфхцчшщъыьэюяё") + [" ", "<blk>"]
    size = len(letters)
    heard, weights = hears("loudness", "logits", size, size - 1, letters.index("д"), letters.index("а"))
    nodes = [
        node("Cast", ["signal"], ["float"], to=FLOAT),
        node("Reshape", ["float", "frames"], ["framed"]),
        node("Abs", ["framed"], ["absolute"]),
        node("ReduceMean", ["absolute", "last"], ["mean"], keepdims=1),
        node("Mul", ["mean", "thousandth"], ["loudness"]),
        *heard,
        node("LogSoftmax", ["logits"], ["logprobs"], axis=-1 & (2**64 - 1)),
        node("Identity", ["state"], ["state_next"]),
    ]
    weights += [tensor("frames", [3], INT64, [-1, 10, 240]), tensor("last", [1], INT64, [2]), tensor("thousandth", [], FLOAT, [0.001])]
    model(f"{folder}/model.onnx", nodes, weights,
          [info("signal", INT32, ["B", 2400, 1]), info("state", FLOAT16, ["B", state])],
          [info("logprobs", FLOAT, ["B", 10, size]), info("state_next", FLOAT16, ["B", state])],
          dict(model_type="t-one", sample_rate=8000, frame_length_ms=300, state_dim=state))
    tokens(folder, letters)


def zipformer(folder, chunk=32, right=13, inner=4):
    """The three networks of a streaming zipformer2 with one layer: x [N, 45, 80] in, chunk / 4 frames out a step."""
    os.makedirs(folder, exist_ok=True)
    symbols = ["<blk>", "<sos/eos>", "<unk>", "▁д", "а", "д"]
    dims, heads, head, value, kernel, left = 8, 1, 4, 4, 3, 8
    shapes = {  # in the order in which sherpa-onnx makes them
        "key": (FLOAT, [left, "N", head * heads]), "nonlin": (FLOAT, [1, "N", left, 3 * dims // 4]),
        "val1": (FLOAT, [left, "N", value * heads]), "val2": (FLOAT, [left, "N", value * heads]),
        "conv1": (FLOAT, ["N", dims, kernel // 2]), "conv2": (FLOAT, ["N", dims, kernel // 2]),
        "embed": (FLOAT, ["N", 128, 3, 19]), "processed": (INT64, ["N"]),
    }
    # Features are logs of filter banks; of samples within -1 to 1 silence is near -15.9. A tone of 1000 lies far above it.
    nodes = [
        node("Slice", ["x", "from", "to", "time"], ["now"]),
        node("Reshape", ["now", "frames"], ["framed"]),
        node("ReduceMax", ["framed", "last"], ["loudest"], keepdims=1),
        node("Mul", ["loudest", "ones"], ["encoder_out"]),
        *[node("Identity", [name], [f"new_{name}"]) for name in shapes],
    ]
    weights = [tensor("from", [1], INT64, [0]), tensor("to", [1], INT64, [chunk]), tensor("time", [1], INT64, [1]),
               tensor("frames", [3], INT64, [-1, chunk // 4, 320]), tensor("last", [1], INT64, [2]),
               tensor("ones", [inner], FLOAT, [1.0] * inner)]
    model(f"{folder}/encoder.onnx", nodes, weights,
          [info("x", FLOAT, ["N", chunk + right, 80])] + [info(n, *s) for n, s in shapes.items()],
          [info("encoder_out", FLOAT, ["N", chunk // 4, inner])] + [info(f"new_{n}", *s) for n, s in shapes.items()],
          dict(model_type="zipformer2", version=1, encoder_dims=dims, query_head_dims=head, value_head_dims=value, num_heads=heads,
               num_encoder_layers=1, cnn_module_kernels=kernel, left_context_len=left, T=chunk + right, decode_chunk_len=chunk))
    # The decoder tells the last token but for the blank, so that the joiner says each letter once.
    model(f"{folder}/decoder.onnx",
          [node("Cast", ["y"], ["float"], to=FLOAT), node("MatMul", ["float", "last_only"], ["decoder_out"])],
          [tensor("last_only", [2, inner], FLOAT, [0.0] * inner + [1.0] * inner)],
          [info("y", INT64, ["N", 2])], [info("decoder_out", FLOAT, ["N", inner])], dict(vocab_size=len(symbols), context_size=2))
    # Louder than THRESHOLD: the symbol 3, or 4 after a 3; then blank until it is quiet. Toy logits by arithmetic:
    # said = clip(last token, 0, 4) - 2 (0 at the start, 1 after "д", 2 after "а").
    size = len(symbols)
    model(f"{folder}/joiner.onnx",
          [
              node("Mul", ["encoder_out", "first"], ["voice0"]),
              node("ReduceSum", ["voice0", "last"], ["voice"], keepdims=1),
              node("Mul", ["decoder_out", "first"], ["token0"]),
              node("ReduceSum", ["token0", "last"], ["token"], keepdims=1),
              node("Greater", ["voice", "threshold"], ["is_voice"]),
              node("Less", ["token", "three"], ["is_start"]),
              node("Less", ["token", "four"], ["before_end"]),
              node("And", ["is_voice", "is_start"], ["says_d"]),
              node("And", ["is_voice", "before_end"], ["says_any"]),
              node("Cast", ["says_d"], ["d"], to=FLOAT),
              node("Cast", ["says_any"], ["any"], to=FLOAT),
              node("Sub", ["any", "d"], ["a"]),
              node("Mul", ["d", "is_3"], ["logit_d"]),
              node("Mul", ["a", "is_4"], ["logit_a"]),
              node("Add", ["logit_d", "logit_a"], ["logit_da"]),
              node("Add", ["logit_da", "is_blank"], ["logit"]),
          ],
          [tensor("first", [inner], FLOAT, [1.0] + [0.0] * (inner - 1)), tensor("last", [1], INT64, [1]), tensor("threshold", [], FLOAT, [-9.0]),
           tensor("three", [], FLOAT, [3.0]), tensor("four", [], FLOAT, [4.0]),
           tensor("is_3", [size], FLOAT, [10.0 * (i == 3) for i in range(size)]), tensor("is_4", [size], FLOAT, [10.0 * (i == 4) for i in range(size)]),
           tensor("is_blank", [size], FLOAT, [5.0] + [0.0] * (size - 1))],
          [info("encoder_out", FLOAT, ["N", inner]), info("decoder_out", FLOAT, ["N", inner])], [info("logit", FLOAT, ["N", size])],
          dict(joiner_dim=inner))
    tokens(folder, symbols)


def tokens(folder, symbols):
    with open(f"{folder}/tokens.txt", "w", encoding="utf-8") as file:
        file.writelines(f"{symbol} {number}\n" for number, symbol in enumerate(symbols))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    t_one(os.path.join(sys.argv[1], "t-one"))
    zipformer(os.path.join(sys.argv[1], "zipformer"))
