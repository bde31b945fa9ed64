CREATE TABLE public.by_day (
    at bigint NOT NULL,
    workspace text NOT NULL,
    requested_model text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    tier text NOT NULL,
    reason text NOT NULL,
    outcome text NOT NULL,
    cache text NOT NULL,
    n bigint NOT NULL,
    retried bigint NOT NULL,
    cost double precision NOT NULL,
    cost_known bigint NOT NULL,
    cost_unknown bigint NOT NULL,
    baseline double precision NOT NULL,
    baseline_known bigint NOT NULL,
    savings double precision NOT NULL,
    savings_known bigint NOT NULL,
    savings_unknown bigint NOT NULL,
    input bigint NOT NULL,
    output bigint NOT NULL,
    usage_unknown bigint NOT NULL,
    compared_cost double precision NOT NULL
);
CREATE TABLE public.by_hour (
    at bigint NOT NULL,
    workspace text NOT NULL,
    requested_model text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    tier text NOT NULL,
    reason text NOT NULL,
    outcome text NOT NULL,
    cache text NOT NULL,
    n bigint NOT NULL,
    retried bigint NOT NULL,
    cost double precision NOT NULL,
    cost_known bigint NOT NULL,
    cost_unknown bigint NOT NULL,
    baseline double precision NOT NULL,
    baseline_known bigint NOT NULL,
    savings double precision NOT NULL,
    savings_known bigint NOT NULL,
    savings_unknown bigint NOT NULL,
    input bigint NOT NULL,
    output bigint NOT NULL,
    usage_unknown bigint NOT NULL,
    compared_cost double precision NOT NULL
);
CREATE TABLE public.checkpoints (
    writer text NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    at text NOT NULL,
    signature text
);
CREATE TABLE public.entries (
    writer integer NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    at bigint NOT NULL,
    id text COLLATE pg_catalog."C",
    workspace text,
    "user" text,
    api text,
    requested_provider text,
    requested_model text,
    provider text,
    model text,
    tier text,
    reason text,
    rule text,
    outcome text,
    status bigint,
    cache text,
    policy text,
    attempts bigint,
    cost double precision,
    baseline double precision,
    savings double precision,
    unknown text,
    input bigint,
    output bigint,
    score double precision,
    overhead double precision,
    ttft double precision,
    latency double precision,
    response_id text,
    request_id text,
    trace text,
    salt bytea,
    body text,
    content bytea NOT NULL,
    hash bytea NOT NULL
)
WITH (toast_tuple_target='8160');
CREATE TABLE public.ledger_version (
    version integer NOT NULL
);
CREATE TABLE public.pruned (
    writer text NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL
);
CREATE TABLE public.settled (
    at bigint NOT NULL,
    body text NOT NULL,
    hash text NOT NULL
);
CREATE TABLE public.settled_head (
    only_one integer NOT NULL,
    n bigint NOT NULL,
    root text NOT NULL,
    since bigint NOT NULL,
    CONSTRAINT settled_head_only_one_check CHECK ((only_one = 1))
);
CREATE TABLE public.writers (
    n integer NOT NULL,
    id text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    started bigint NOT NULL,
    closed bigint
);
CREATE SEQUENCE public.writers_n_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.writers_n_seq OWNED BY public.writers.n;
ALTER TABLE ONLY public.writers ALTER COLUMN n SET DEFAULT nextval('public.writers_n_seq'::regclass);
INSERT INTO public.by_day VALUES
	(1794873600000, 'blue', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015),
	(1794960000000, 'red', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015),
	(1795046400000, 'blue', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015),
	(1795132800000, 'red', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015),
	(1795219200000, 'red', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015);
INSERT INTO public.by_hour VALUES
	(1794916800000, 'blue', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015),
	(1795003200000, 'red', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015),
	(1795089600000, 'blue', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015),
	(1795176000000, 'red', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015),
	(1795219200000, 'red', 'dear', 'openai', 'small', 'simple', 'tier', 'complete', 'off', 1, 0, 0.0015, 1, 0, 0.03, 1, 0.0285, 1, 0, 1000, 500, 0, 0.0015);
INSERT INTO public.checkpoints VALUES
	('01a1e455-f140-7799-9642-8d7b72dc0ac3', 7, 'cf33a080f45a2bb856b77dafc16e44e8ae42ac5bce40fc7b3a0832622850fe7a', '2026-11-29T21:44:14.855Z', NULL);
INSERT INTO public.entries VALUES
	(1, 3, 'exchange', 1795005000000, '01a1eea2-a940-716a-845a-8f4362e1ec30', 'red', NULL, 'openai-chat', 'openai', 'dear', 'openai', 'small', 'simple', 'tier', NULL, 'complete', 200, 'off', '0123456789abcdef', 1, 0.0015, 0.03, 0.0285, NULL, 1000, 500, 0.1, 0.125, NULL, 90.5, NULL, NULL, NULL, '\x76745821faa2eab5eec6233868dafdba', '{"kind":"decision","id":"01a1eea2-a940-716a-845a-8f4362e1ec30","responseId":null,"requestId":null,"traceId":null,"time":"2026-11-18T12:30:00.000Z","workspace":"red","user":null,"caller":{"userTier":null,"quality":null,"task":null},"provider":"openai","api":"openai-chat","operation":"generate","stream":false,"passReason":null,"requestedModel":"dear","servedModel":"small","answeredModel":"small-2026","verdict":{"tier":"simple","score":0.1,"confidence":0.9,"unsure":false,"task":"question","domain":"general","language":"en","signals":[{"name":"length","value":5,"share":-0.05},{"name":"question","value":true,"share":0.1},{"name":"tools","value":0,"share":0}]},"decision":{"action":"route","requested":{"provider":"openai","model":"dear"},"served":{"provider":"openai","model":"small"},"chain":[{"provider":"openai","model":"small"}],"tier":"simple","reason":"tier","rule":null,"candidates":[{"target":{"provider":"openai","model":"small"},"tier":"simple","estimate":{"known":true,"usd":0.0004},"disqualified":null,"chosen":true}],"wouldServe":null,"block":null,"assumedOutputTokens":300,"estimate":{"known":true,"usd":0.0004},"baselineEstimate":{"known":true,"usd":0.008}},"section":"test","mode":"enabled","policy":{"number":3,"hash":"0123456789abcdef","resourceVersion":null},"catalogVersion":"2026-01-01-abc","request":{"bytes":100,"estimatedTokens":100,"messages":1,"tools":0,"images":0,"promptHash":"ab","promptStart":null,"asks":{"userTurns":1,"userUnits":5,"maxOutputTokens":null,"answers":1,"jsonOutput":"none","audioInputs":0,"audioOutput":false,"files":0,"reasoning":null}},"outcome":"complete","status":200,"finishReason":"stop","errorType":null,"quality":null,"usage":{"convention":{"cachedRead":"subset","cacheWrite":"subset","reasoning":"subset","audio":"subset"},"input":1000,"cachedRead":0,"cacheWrite5m":0,"cacheWrite1h":0,"audioInput":0,"output":500,"reasoning":0,"audioOutput":0,"totalInput":1000,"totalOutput":500,"raw":"{}"},"usageUnknown":null,"cost":{"known":true,"usd":0.0015},"baseline":{"known":true,"usd":0.03},"savings":{"known":true,"usd":0.0285},"attempts":[{"target":{"provider":"openai","model":"small"},"status":200,"outcome":"complete","reason":null,"ms":90.5,"cost":{"known":true,"usd":0.0015},"dropped":[]}],"cache":"off","cacheEntry":null,"arm":null,"trace":null,"budgets":[],"timing":{"overheadMs":0.125,"firstByteMs":40,"firstTokenMs":null,"totalMs":90.5}}', '\x78d199f5d60194205412177d0373d07e375d69f1bb8318801473787575e835ba', '\x6d962535a064035a6db29064635e61a522d80c5b5ecb30fa40d0d2c709c84eaf'),
	(1, 7, 'prune', 1795264200000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '\x58e90c6c5d62501ef736d3d9a5603594', '{"removed":[{"writer":"01a1e455-f140-7799-9642-8d7b72dc0ac3","seq":2,"hash":"1c22229e7427273397e15e04443a14fb523cbc1b9775ea8d5f13dfc8f71cae4a"}],"settled":{"n":3,"root":"b5be2ce8467e8eef42178e3feb4036b72e632268cd79864896afef7487d46958","since":0}}', '\x90233062f2e2d94d57042539413eab6dc9e7d15a7cbdb08cd7234a9bdbb89837', '\xcf33a080f45a2bb856b77dafc16e44e8ae42ac5bce40fc7b3a0832622850fe7a'),
	(1, 8, 'close', 1794832200000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '\x5ba04287e55d4138bab0882f15e70de6', '{}', '\xd0b47828b0b03db7afb3ed3295cc9f1d959fe017a0637721afe13a25f534e047', '\xc8b30dfe87a2b4db56ae9a5495f2ccd8e5da70ff8bc5ee7017599d4c32453abc'),
	(1, 4, 'exchange', 1795091400000, '01a1f3c9-0540-743c-be06-81fe70f87966', 'blue', NULL, 'openai-chat', 'openai', 'dear', 'openai', 'small', 'simple', 'tier', NULL, 'complete', 200, 'off', '0123456789abcdef', 1, 0.0015, 0.03, 0.0285, NULL, 1000, 500, 0.1, 0.125, NULL, 90.5, NULL, NULL, NULL, '\xa2ae10b8e9efa431491f507c4e15b449', '{"kind":"decision","id":"01a1f3c9-0540-743c-be06-81fe70f87966","responseId":null,"requestId":null,"traceId":null,"time":"2026-11-19T12:30:00.000Z","workspace":"blue","user":null,"caller":{"userTier":null,"quality":null,"task":null},"provider":"openai","api":"openai-chat","operation":"generate","stream":false,"passReason":null,"requestedModel":"dear","servedModel":"small","answeredModel":"small-2026","verdict":{"tier":"simple","score":0.1,"confidence":0.9,"unsure":false,"task":"question","domain":"general","language":"en","signals":[{"name":"length","value":5,"share":-0.05},{"name":"question","value":true,"share":0.1},{"name":"tools","value":0,"share":0}]},"decision":{"action":"route","requested":{"provider":"openai","model":"dear"},"served":{"provider":"openai","model":"small"},"chain":[{"provider":"openai","model":"small"}],"tier":"simple","reason":"tier","rule":null,"candidates":[{"target":{"provider":"openai","model":"small"},"tier":"simple","estimate":{"known":true,"usd":0.0004},"disqualified":null,"chosen":true}],"wouldServe":null,"block":null,"assumedOutputTokens":300,"estimate":{"known":true,"usd":0.0004},"baselineEstimate":{"known":true,"usd":0.008}},"section":"test","mode":"enabled","policy":{"number":3,"hash":"0123456789abcdef","resourceVersion":null},"catalogVersion":"2026-01-01-abc","request":{"bytes":100,"estimatedTokens":100,"messages":1,"tools":0,"images":0,"promptHash":"ab","promptStart":null,"asks":{"userTurns":1,"userUnits":5,"maxOutputTokens":null,"answers":1,"jsonOutput":"none","audioInputs":0,"audioOutput":false,"files":0,"reasoning":null}},"outcome":"complete","status":200,"finishReason":"stop","errorType":null,"quality":null,"usage":{"convention":{"cachedRead":"subset","cacheWrite":"subset","reasoning":"subset","audio":"subset"},"input":1000,"cachedRead":0,"cacheWrite5m":0,"cacheWrite1h":0,"audioInput":0,"output":500,"reasoning":0,"audioOutput":0,"totalInput":1000,"totalOutput":500,"raw":"{}"},"usageUnknown":null,"cost":{"known":true,"usd":0.0015},"baseline":{"known":true,"usd":0.03},"savings":{"known":true,"usd":0.0285},"attempts":[{"target":{"provider":"openai","model":"small"},"status":200,"outcome":"complete","reason":null,"ms":90.5,"cost":{"known":true,"usd":0.0015},"dropped":[]}],"cache":"off","cacheEntry":null,"arm":null,"trace":null,"budgets":[],"timing":{"overheadMs":0.125,"firstByteMs":40,"firstTokenMs":null,"totalMs":90.5}}', '\x3d8af08f87e62714d480b30759fe484e1c159dc9c8186c3846cd8dd941afe726', '\x7b9809a7baddb7aea6d8c00e8e8d28d7884b7098a41e359ace9fbf03c472695e'),
	(1, 5, 'exchange', 1795177800000, '01a1f8ef-6140-75e7-816b-44f60948f0bd', 'red', 'abcdefabcdefabcd', 'openai-chat', 'openai', 'dear', 'openai', 'small', 'simple', 'tier', NULL, 'complete', 200, 'off', '0123456789abcdef', 1, 0.0015, 0.03, 0.0285, NULL, 1000, 500, 0.1, 0.125, NULL, 90.5, NULL, NULL, NULL, '\x29bcd0c5929ca55e44d5b6373dcc2d6f', '{"kind":"decision","id":"01a1f8ef-6140-75e7-816b-44f60948f0bd","responseId":null,"requestId":null,"traceId":null,"time":"2026-11-20T12:30:00.000Z","workspace":"red","user":"abcdefabcdefabcd","caller":{"userTier":null,"quality":null,"task":null},"provider":"openai","api":"openai-chat","operation":"generate","stream":false,"passReason":null,"requestedModel":"dear","servedModel":"small","answeredModel":"small-2026","verdict":{"tier":"simple","score":0.1,"confidence":0.9,"unsure":false,"task":"question","domain":"general","language":"en","signals":[{"name":"length","value":5,"share":-0.05},{"name":"question","value":true,"share":0.1},{"name":"tools","value":0,"share":0}]},"decision":{"action":"route","requested":{"provider":"openai","model":"dear"},"served":{"provider":"openai","model":"small"},"chain":[{"provider":"openai","model":"small"}],"tier":"simple","reason":"tier","rule":null,"candidates":[{"target":{"provider":"openai","model":"small"},"tier":"simple","estimate":{"known":true,"usd":0.0004},"disqualified":null,"chosen":true}],"wouldServe":null,"block":null,"assumedOutputTokens":300,"estimate":{"known":true,"usd":0.0004},"baselineEstimate":{"known":true,"usd":0.008}},"section":"test","mode":"enabled","policy":{"number":3,"hash":"0123456789abcdef","resourceVersion":null},"catalogVersion":"2026-01-01-abc","request":{"bytes":100,"estimatedTokens":100,"messages":1,"tools":0,"images":0,"promptHash":"ab","promptStart":null,"asks":{"userTurns":1,"userUnits":5,"maxOutputTokens":null,"answers":1,"jsonOutput":"none","audioInputs":0,"audioOutput":false,"files":0,"reasoning":null}},"outcome":"complete","status":200,"finishReason":"stop","errorType":null,"quality":null,"usage":{"convention":{"cachedRead":"subset","cacheWrite":"subset","reasoning":"subset","audio":"subset"},"input":1000,"cachedRead":0,"cacheWrite5m":0,"cacheWrite1h":0,"audioInput":0,"output":500,"reasoning":0,"audioOutput":0,"totalInput":1000,"totalOutput":500,"raw":"{}"},"usageUnknown":null,"cost":{"known":true,"usd":0.0015},"baseline":{"known":true,"usd":0.03},"savings":{"known":true,"usd":0.0285},"attempts":[{"target":{"provider":"openai","model":"small"},"status":200,"outcome":"complete","reason":null,"ms":90.5,"cost":{"known":true,"usd":0.0015},"dropped":[]}],"cache":"off","cacheEntry":null,"arm":null,"trace":null,"budgets":[],"timing":{"overheadMs":0.125,"firstByteMs":40,"firstTokenMs":null,"totalMs":90.5}}', '\x9cd37c5094216b6f063ae047d871e8423e13c1978f0debc1b1f9b341a969c2f9', '\x98d8714a94c36e0292a6d1a75a983051891b6badde8d8fdaabd38ddc6feb6f4f'),
	(1, 6, 'erase', 1794832200000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '\x979390f35ad08e946a8e4c80bbf68385', '{"reason":"x","settled":{"n":2,"root":"e9955ec1c160da94cbf6c91cf1ca7f51c10c6872c463ad8777798ab566b3dac4","since":0},"rows":[]}', '\xab40de5ba15d03d88d5d86552f4cae9f989647c11aaed437dd2df3bcedde9b03', '\xa5da6ef64cd164a55f13af8aed19da70c833560a781b3700f3c7b464681c2d61'),
	(2, 1, 'open', 1794832200000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '\x12aaeebbbe5164fa200d8ffdc84bec0b', '{"writer":"01a1f8ef-6140-75e8-bd53-f279a08da6bc","host":"vm","pid":2455,"version":"0.1.0","heads":[{"writer":"01a1e455-f140-7799-9642-8d7b72dc0ac3","seq":8,"hash":"c8b30dfe87a2b4db56ae9a5495f2ccd8e5da70ff8bc5ee7017599d4c32453abc"}],"settled":{"n":3,"root":"b5be2ce8467e8eef42178e3feb4036b72e632268cd79864896afef7487d46958","since":0}}', '\x82a7c5a76eb8c91764a1692f71f68119ad4d85cdd9a434771806749f6b5dd244', '\x02f4b9fc915099865bb1ec3b0b310e47019c4b1a43e0c11a7e70e933454a0a09'),
	(2, 2, 'exchange', 1795221000000, '01a1fb82-8f40-77fd-a05a-fda407585aa7', 'red', NULL, 'openai-chat', 'openai', 'dear', 'openai', 'small', 'simple', 'tier', NULL, 'complete', 200, 'off', '0123456789abcdef', 1, 0.0015, 0.03, 0.0285, NULL, 1000, 500, 0.1, 0.125, NULL, 90.5, NULL, NULL, NULL, '\xc4f8e7ab097287214e6e59d3ef71a204', '{"kind":"decision","id":"01a1fb82-8f40-77fd-a05a-fda407585aa7","responseId":null,"requestId":null,"traceId":null,"time":"2026-11-21T00:30:00.000Z","workspace":"red","user":null,"caller":{"userTier":null,"quality":null,"task":null},"provider":"openai","api":"openai-chat","operation":"generate","stream":false,"passReason":null,"requestedModel":"dear","servedModel":"small","answeredModel":"small-2026","verdict":{"tier":"simple","score":0.1,"confidence":0.9,"unsure":false,"task":"question","domain":"general","language":"en","signals":[{"name":"length","value":5,"share":-0.05},{"name":"question","value":true,"share":0.1},{"name":"tools","value":0,"share":0}]},"decision":{"action":"route","requested":{"provider":"openai","model":"dear"},"served":{"provider":"openai","model":"small"},"chain":[{"provider":"openai","model":"small"}],"tier":"simple","reason":"tier","rule":null,"candidates":[{"target":{"provider":"openai","model":"small"},"tier":"simple","estimate":{"known":true,"usd":0.0004},"disqualified":null,"chosen":true}],"wouldServe":null,"block":null,"assumedOutputTokens":300,"estimate":{"known":true,"usd":0.0004},"baselineEstimate":{"known":true,"usd":0.008}},"section":"test","mode":"enabled","policy":{"number":3,"hash":"0123456789abcdef","resourceVersion":null},"catalogVersion":"2026-01-01-abc","request":{"bytes":100,"estimatedTokens":100,"messages":1,"tools":0,"images":0,"promptHash":"ab","promptStart":null,"asks":{"userTurns":1,"userUnits":5,"maxOutputTokens":null,"answers":1,"jsonOutput":"none","audioInputs":0,"audioOutput":false,"files":0,"reasoning":null}},"outcome":"complete","status":200,"finishReason":"stop","errorType":null,"quality":null,"usage":{"convention":{"cachedRead":"subset","cacheWrite":"subset","reasoning":"subset","audio":"subset"},"input":1000,"cachedRead":0,"cacheWrite5m":0,"cacheWrite1h":0,"audioInput":0,"output":500,"reasoning":0,"audioOutput":0,"totalInput":1000,"totalOutput":500,"raw":"{}"},"usageUnknown":null,"cost":{"known":true,"usd":0.0015},"baseline":{"known":true,"usd":0.03},"savings":{"known":true,"usd":0.0285},"attempts":[{"target":{"provider":"openai","model":"small"},"status":200,"outcome":"complete","reason":null,"ms":90.5,"cost":{"known":true,"usd":0.0015},"dropped":[]}],"cache":"off","cacheEntry":null,"arm":null,"trace":null,"budgets":[],"timing":{"overheadMs":0.125,"firstByteMs":40,"firstTokenMs":null,"totalMs":90.5}}', '\x28ab891a7cae89a546bfdb5840e7c291e12a73c2f22df20b6112e10c4dcf6e9d', '\x8bd37182a90d69044ce85739074317dc1f6adbcc8c8c6c8f103df68e062419e3');
INSERT INTO public.ledger_version VALUES
	(2);
INSERT INTO public.pruned VALUES
	('01a1e455-f140-7799-9642-8d7b72dc0ac3', 2, '1c22229e7427273397e15e04443a14fb523cbc1b9775ea8d5f13dfc8f71cae4a');
INSERT INTO public.settled VALUES
	(1794916800000, '[["blue","dear","openai","small","simple","tier","complete","off",1,0,0.0015,1,0,0.03,1,0.0285,1,0,1000,500,0,0.0015]]', 'edfbe9eba329cdc5c6b07f5cdcd33bb364c22c7493895d648a60f3e6bdedab83');
INSERT INTO public.settled_head VALUES
	(1, 3, 'b5be2ce8467e8eef42178e3feb4036b72e632268cd79864896afef7487d46958', 0);
INSERT INTO public.writers VALUES
	(1, '01a1e455-f140-7799-9642-8d7b72dc0ac3', 'vm', 2455, 1794832200000, 1794832200000),
	(2, '01a1f8ef-6140-75e8-bd53-f279a08da6bc', 'vm', 2455, 1794832200000, NULL);
SELECT pg_catalog.setval('public.writers_n_seq', 2, true);
ALTER TABLE ONLY public.by_day
    ADD CONSTRAINT by_day_pkey PRIMARY KEY (at, workspace, requested_model, provider, model, tier, reason, outcome, cache);
ALTER TABLE ONLY public.by_hour
    ADD CONSTRAINT by_hour_pkey PRIMARY KEY (at, workspace, requested_model, provider, model, tier, reason, outcome, cache);
ALTER TABLE ONLY public.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (writer, seq);
ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (writer, seq);
ALTER TABLE ONLY public.pruned
    ADD CONSTRAINT pruned_pkey PRIMARY KEY (writer);
ALTER TABLE ONLY public.settled_head
    ADD CONSTRAINT settled_head_pkey PRIMARY KEY (only_one);
ALTER TABLE ONLY public.settled
    ADD CONSTRAINT settled_pkey PRIMARY KEY (at);
ALTER TABLE ONLY public.writers
    ADD CONSTRAINT writers_id_key UNIQUE (id);
ALTER TABLE ONLY public.writers
    ADD CONSTRAINT writers_pkey PRIMARY KEY (n);
CREATE INDEX entries_at ON public.entries USING btree (at);
CREATE INDEX entries_id ON public.entries USING btree (id) WHERE (id IS NOT NULL);
CREATE INDEX entries_request_id ON public.entries USING btree (request_id) WHERE (request_id IS NOT NULL);
CREATE INDEX entries_response_id ON public.entries USING btree (response_id) WHERE (response_id IS NOT NULL);
CREATE INDEX entries_trace ON public.entries USING btree (trace) WHERE (trace IS NOT NULL);
CREATE INDEX entries_user ON public.entries USING btree ("user") WHERE ("user" IS NOT NULL);
