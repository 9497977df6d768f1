#!/usr/bin/env python3
"""Train what the demo ships, on the labelled history of the running demo only.

    eval "$(tools/cluster env demo)" && export PGDATABASE=demo
    demo/train.py words     -> words.csv    weights of single words (a linear text model)
    demo/train.py rules     -> standard output: weights for the rules of policy.sql
    demo/train.py gbdt      -> gbdt.json    the GBDT

In this order, with `demo/run` after each: words.csv feeds the signal word_margin, and the GBDT learns what the rules
of policy.sql, as they stand in the database, leave over. Needs numpy, scipy and xgboost; psql is the way to the data.

Nothing here sees a message of the streamed part: the tables are read through arrival.history. Hyper-parameters were
chosen on forward splits within the history (train on the first part, measure on what follows); `gbdt` prints them.
"""
import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import xgboost
from scipy.optimize import minimize

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDS = 8
WORDS = 1000              # size of the vocabulary
WORD_PENALTY = 1.0        # ridge penalties: the inverse variance of a Gaussian prior
RULE_PENALTY = 3.0
ROUNDS = 250
# Less than half of the history is spam, and less towards its end: the policy's prior is this much below the one that
# fits the history. Chosen on the forward splits.
PRIOR_SHIFT = -1.5
FORWARD = (1800, 2400, 3000)
# Labels come late or end altogether, as they do for the streamed part. So that the models do not come to rely on fresh
# ones, they also train on the messages after each of these, as they look when labels end there.
LABELS_END = (600, 1200, 1800, 2400, 3000)
PARAMETERS = dict(objective='binary:logistic', eta=0.05, max_depth=3, subsample=0.7, colsample_bytree=0.5,
                  min_child_weight=3, reg_lambda=2, base_score=0.5, seed=1, nthread=2)
# Signals that the GBDT must not use: keys, and what the masking of recipients in the public corpus distorts
NOT_FEATURES = {'id', 'received_at', 'text_content', 'recipient_events', 'recipient_days_known', 'recipient_hour_affinity', 'malformed'}


def query(sql):
    """Rows of a query as lists of strings; NULL is an empty string."""
    out = subprocess.run(['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1'], input=sql.encode(),
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    return list(csv.reader(io.StringIO(out)))


def copy(select):
    return query(f'COPY ({select}) TO STDOUT WITH (FORMAT csv)')


def labels():
    """Ids and labels of the history in order of receipt."""
    rows = copy('SELECT id, (malicious)::int FROM arrival WHERE history ORDER BY id')
    return np.array([int(r[0]) for r in rows]), np.array([int(r[1]) for r in rows])


def logistic(x, y, penalty, sign=None):
    """Ridge logistic regression; sign constrains each weight to be >= 0 or <= 0. Gives weights and intercept."""
    def loss(w):
        m = x @ w[:-1] + w[-1]
        p = 1 / (1 + np.exp(-np.clip(m, -500, 500)))
        return (np.logaddexp(0, m) - y * m).sum() + penalty / 2 * (w[:-1] ** 2).sum(), \
            np.append(x.T @ (p - y) + penalty * w[:-1], (p - y).sum())
    bounds = None
    if sign is not None:
        bounds = [(0, None) if s > 0 else (None, 0) for s in sign] + [(None, None)]
    w = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method='L-BFGS-B', bounds=bounds).x
    return w[:-1], w[-1]


# ---- words ------------------------------------------------------------------

def word_hits():
    """For each message of the history, which candidate words occur: found as the signals view finds them, by
    assay.phrase_hits over the same text."""
    rows = query("""
        CREATE TEMP TABLE t AS
        SELECT m.id, concat(m.subject, E'\\n',
                            authored(left(m.body_text, 20000), m.list_id IS NOT NULL OR m.headers ? 'mailing-list')) AS content
        FROM message m JOIN arrival a ON a.id = m.id AND a.history;
        -- Words that occur in at least ten messages. Not the names of the collectors, nor those with which they
        -- masked people and hosts, nor months and weekdays: they tell who collected a message and when.
        CREATE TEMP TABLE candidate AS
        SELECT w[1] AS word FROM t, LATERAL (
            SELECT DISTINCT regexp_matches(lower(content), '[a-z]{3,20}', 'g') AS w) x
        WHERE w[1] !~ '^(zzzz|yyyy|qqqq|xxxx|jmason|netnoteinc|spamassassin|taint|example|webnote|slashnull|dogma|spamtrap|justin|mason)'
          AND w[1] !~ '^(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?)$'
          AND w[1] !~ '^((mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?)$'
        GROUP BY 1 HAVING count(*) >= 10;
        CREATE TEMP TABLE w AS SELECT assay.phrases(array_agg(word ORDER BY word), array_agg(word ORDER BY word)) AS words
        FROM candidate;
        COPY (SELECT id, array_to_string(assay.phrase_hits(words, content), ' ') FROM t, w ORDER BY id)
        TO STDOUT WITH (FORMAT csv);""")
    return [set(r[1].split()) for r in rows]


def matrix(hits, vocabulary):
    index = {w: i for i, w in enumerate(vocabulary)}
    x = np.zeros((len(hits), len(vocabulary)), np.float32)
    for i, h in enumerate(hits):
        for w in h:
            if w in index:
                x[i, index[w]] = 1
    return x


def vocabulary(hits, y):
    """The words whose rates differ most between the classes, in standard errors."""
    words = sorted(set().union(*hits))
    x = matrix(hits, words)
    n1, n0 = y.sum(), len(y) - y.sum()
    p1 = (x[y == 1].sum(0) + 0.5) / (n1 + 1)
    p0 = (x[y == 0].sum(0) + 0.5) / (n0 + 1)
    z = np.abs(p1 - p0) / np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    return [words[i] for i in sorted(np.argsort(-z, kind='stable')[:WORDS])]


def fit_words(hits, y):
    v = vocabulary(hits, y)
    return v, logistic(matrix(hits, v), y, WORD_PENALTY)[0]


def word_margin(hits, y):
    """Each message's margin by a model that has not seen it. A margin from a model that has would be too good, and
    the GBDT would learn to trust it too much."""
    fold = np.random.RandomState(0).permutation(np.arange(len(y)) % FOLDS)
    margin = np.zeros(len(y))
    for f in range(FOLDS):
        seen = [h for h, k in zip(hits, fold) if k != f]
        v, w = fit_words(seen, y[fold != f])
        margin[fold == f] = matrix([h for h, k in zip(hits, fold) if k == f], v) @ w
    return margin


def train_words():
    _, y = labels()
    v, w = fit_words(word_hits(), y)
    with open(os.path.join(HERE, 'words.csv'), 'w') as f:
        f.write('word,weight\n')
        f.writelines(f'{word},{weight:.3f}\n' for word, weight in zip(v, w) if abs(weight) >= 0.001)
    print(f'words.csv: {len(v)} words')


# ---- rules ------------------------------------------------------------------

def rule_hits(known=None):
    """The rules as rows, and which messages of the history each hits."""
    rules = copy("""SELECT detector, condition, weight, mode FROM assay.detectors
        WHERE policy = 'inbound' AND kind = 'rule' ORDER BY detector""")
    return rules, signals([f'coalesce(({r[1]})::int, 0)' for r in rules], known)


def signals(expressions, known=None):
    """Values of expressions over the signals of the history. With known, as if only the labels of so many messages
    were known."""
    forget = f"""
        DELETE FROM inbound_label WHERE id > {known};
        REFRESH MATERIALIZED VIEW sender_baseline;
        REFRESH MATERIALIZED VIEW domain_baseline;
        REFRESH MATERIALIZED VIEW pair_baseline;""" if known else ''
    rows = query(f"""BEGIN;{forget}
        COPY (SELECT {', '.join(expressions)} FROM message_signals JOIN arrival USING (id) WHERE history ORDER BY id)
        TO STDOUT WITH (FORMAT csv);
        ROLLBACK;""")
    return np.array([[float(v) if v != '' else np.nan for v in r] for r in rows])


def late_labels(values, n):
    """Of the first n messages, and those of them after each end of labels: values({end: array}) stacked, and which
    message each row is."""
    ends = [e for e in LABELS_END if e < n]
    return np.concatenate([values[None][:n]] + [values[e][e:n] for e in ends]), \
        np.concatenate([np.arange(n)] + [np.arange(e, n) for e in ends])


def fit_rules(hits, y):
    """Log-odds of each rule alone, and weights and prior of all together: one ridge regression, so that each carries
    what the others do not (log-odds of single rules, summed, would count shared evidence twice). A rule keeps the sign
    of its own log-odds."""
    attacks, safe = hits[y == 1].sum(0), hits[y == 0].sum(0)
    alone = np.log((attacks + 1) / (y.sum() + 2)) - np.log((safe + 1) / (len(y) - y.sum() + 2))
    return alone, logistic(hits, y, RULE_PENALTY, alone)


def show_rules():
    """Weights for the live rules. One whose weight comes out near 0 adds nothing to the others: it belongs in shadow."""
    _, y = labels()
    rules, hits = rule_hits()
    live = np.array([r[3] == 'live' for r in rules])
    stacked, row = late_labels({None: hits, **{e: rule_hits(e)[1] for e in LABELS_END}}, len(y))
    alone, _ = fit_rules(hits, y)
    w = np.full(len(rules), np.nan)
    w[live], prior = fit_rules(stacked[:, live], y[row])[1]
    print(f'prior {prior + PRIOR_SHIFT:.1f}')
    print(f"{'rule':<22}{'mode':<8}{'hits':>6}{'precision':>11}{'alone':>8}{'weight':>8}")
    for r, h, a, v in sorted(zip(rules, hits.T, alone, w), key=lambda t: -np.nan_to_num(t[3], nan=-99)):
        print(f'{r[0]:<22}{r[3]:<8}{int(h.sum()):>6}{h[y == 1].sum() / max(h.sum(), 1):>11.3f}{a:>8.1f}'
              + ('       -' if np.isnan(v) else f'{v:>8.1f}'))


# ---- GBDT -------------------------------------------------------------------

def auc(y, s):
    order = np.argsort(s, kind='stable')
    _, inverse, counts = np.unique(s[order], return_inverse=True, return_counts=True)
    rank = np.empty(len(s))
    rank[order] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n1 = y.sum()
    return (rank[y == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * (len(y) - n1))


def recall_at(y, s, rate):
    legitimate = np.sort(s[y == 0])[::-1]
    return (s[y == 1] > legitimate[int(rate * len(legitimate))]).mean()


def train_gbdt():
    _, y = labels()
    columns = copy("""SELECT attname, atttypid = 'boolean'::regtype FROM pg_attribute
        WHERE attrelid = 'message_signals'::regclass AND attnum > 0 ORDER BY attnum""")
    columns = [c for c in columns if c[0] not in NOT_FEATURES]
    names = [c[0] for c in columns]
    expressions = [f'{c}::int' if boolean == 't' else f'{c}::real' for c, boolean in columns]
    rules, now = rule_hits()
    live = np.array([r[3] == 'live' for r in rules])
    hits = {None: now[:, live], **{e: rule_hits(e)[1][:, live] for e in LABELS_END}}
    x = {e: signals(expressions, e).astype(np.float32) for e in (None, *LABELS_END)}
    words = word_hits()

    def fit(weights, prior, n):
        """A GBDT of the first n messages. It starts from the rules' margin, so that it learns what they leave over
        and the policy can add both with weight 1."""
        xt, row = late_labels(x, n)
        xt[:, names.index('word_margin')] = word_margin(words[:n], y[:n])[row]
        base = late_labels(hits, n)[0] @ weights + prior
        return xgboost.train(PARAMETERS, xgboost.DMatrix(xt, y[row], base_margin=base, feature_names=names), ROUNDS)

    print('forward splits within the history: train on the first messages, measure on those that follow without labels')
    for n in FORWARD:
        end = min(n + 1200, len(y))
        h, row = late_labels(hits, n)
        _, (w, prior) = fit_rules(h, y[row])
        base = hits[n][n:end] @ w + prior
        xv = x[n][n:end].copy()
        v, ww = fit_words(words[:n], y[:n])
        xv[:, names.index('word_margin')] = matrix(words[n:end], v) @ ww
        m = fit(w, prior, n).predict(xgboost.DMatrix(xv, base_margin=base, feature_names=names), output_margin=True)
        yv = y[n:end]
        print(f'  {n} -> {end}  AUC {auc(yv, m):.4f} (rules alone {auc(yv, base):.4f})  recall at 0.1 % FPR '
              f'{recall_at(yv, m, 0.001):.2f}, at 1 % {recall_at(yv, m, 0.01):.2f}  log loss by shift of the prior: '
              + ', '.join(f'{d:g}: {np.mean(np.logaddexp(0, m + d) - yv * (m + d)):.4f}' for d in (0, -1, -1.5, -2, -2.5)),
              flush=True)

    # What ships: on all of the history, over the policy's own weights
    prior = float(copy("SELECT prior FROM assay.policies WHERE policy = 'inbound'")[0][0]) - PRIOR_SHIFT
    model = fit(np.array([float(r[2]) for r in rules])[live], prior, len(y))
    save(model, names)


def save(model, names):
    path = os.path.join(HERE, 'gbdt.json')
    model.save_model(path)
    with open(path) as f:
        document = json.load(f)
    with open(path, 'w') as f:
        json.dump(document, f, separators=(',', ':'))
        f.write('\n')
    print(f'gbdt.json: {ROUNDS} trees over {len(names)} signals, {os.path.getsize(path)} bytes')


if __name__ == '__main__':
    steps = {'words': train_words, 'rules': show_rules, 'gbdt': train_gbdt}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        sys.exit(__doc__)
    steps[sys.argv[1]]()
