"""The package that the lessons share, room by room in the order of the lessons; importing it costs nothing.

display     notices, boxes and rich text; a picture and its live widget as one bundle
data        what is looked at: data sets, photographs, drawn digits, disturbances, sequences, planted marks
filters     Part I, NumPy only: kernels, output sizes and receptive fields, windows, convolution, the layer
network     Part II: networks, hooks, running them, training, history, device, checkpoints, a network for photographs
inside      Parts III and IV: scores, attribution, occlusion, faithfulness, feature space, maximization
plots       every picture, in one style; numbers come in, pictures go out
explorers   the interactive tools: a base class, shared parts, one file a tool
exercises   how a question is asked and an answer judged, and one file a lesson
selftest    what this computer has and lacks, in words
saving      the hook with which Jupyter saves a lesson
names       the hook with which a kernel says which cell to run when a name is missing

Who may import whom is one table, ``ALLOWED`` in ``tests/project/test_project.py``.
"""
