"""How good the answers are: questions with known pages, put to an index and to the usual pipelines.

questions.py   a file of questions ─► Question
corpus.py      what they are put to: PDFs, or passages
index.py       that corpus as a throw-away index, or the present one
places.py      the right pages of a question, as the index knows them
measuring.py   questions ─► rankings, answers, refusals
baselines.py   the same questions to the usual pipelines
metrics.py     rankings ─► recall, MRR, nDCG with intervals
report.py      everything as JSON or as tables; plot.py draws it
"""
