/**
 * Every bound in one place: bodies, texts, tables, queues. A number that limits what a peer, an app or an operator can
 * make Sluice hold belongs here and nowhere else.
 */
export const limits = {
  /** Largest request body that Envoy buffers and Sluice reads, in bytes. Larger ones pass untouched. */
  requestBodyBytes: 32 * 1024 * 1024,
  /** gRPC messages: a whole buffered body plus room for headers and metadata, in bytes. */
  grpcMessageBytes: 34 * 1024 * 1024,
  /**
   * What Envoy may have waiting for Sluice on one stream and on one connection (one a worker), in bytes: Envoy 1.40 ends with a segmentation fault
   * where a provider's filter is above it with a whole answer. So it is far above what is under way, and bounds what a Sluice that hangs costs.
   */
  envoyUnsentBytes: 1024 * 1024 * 1024,
  /** Requests that one Envoy may have under way to a provider: rendered circuit breakers; beyond it apps get 503. */
  envoyRequests: 50_000,
  /** Streams that Envoy may have open to Sluice, and the breakers of its cluster: four for each of these requests. */
  grpcStreams: 200_000,
  /** How long Envoy waits for Sluice's answer to one message before the request passes undecided, in ms; a decision takes well under one. */
  messageMs: 500,
  /** The same for later attempts of a chain, which fail without an answer. */
  attemptMessageMs: 5_000,
  /** How long a client may take to send a request, body included, in ms; then it gets 408. */
  requestMs: 300_000,
  /** One message of Envoy's access log, in bytes: a whole collected answer, also in base64, beside a batch of others. */
  accessLogMessageBytes: 16 * 1024 * 1024,
  /** Chunks of a stream's beginning that Envoy collects, for its first token; and their bytes. */
  collectedHeadChunks: 16,
  collectedHeadBytes: 256 * 1024,
  /** Bytes of a stream's end that Envoy collects at least, where the API's last events are small; elsewhere sseEventBytes. */
  collectedTailBytes: 8 * 1024,
  /** One HTTP/2 header block on that connection, names, values and 32 bytes for each, in bytes. */
  http2HeaderListBytes: 16 * 1024,
  /** Answers that a peer lets lie unread on a connection, in bytes; beyond it the connection is cut. */
  http2UnsentBytes: 256 * 1024 * 1024,
  /** HTTP/2 frames a second that only cost us (ping, settings, priority, reset, window update, empty data, trailers). Envoy resets a stream a request. */
  http2ControlFrames: 200_000,
  /** Longest workspace name that is kept, in UTF-16 units. */
  workspaceUnits: 128,
  /** Deepest JSON nesting that the scanner follows; deeper bodies pass untouched. */
  jsonDepth: 512,
  /** Longest `model` value that is read, in bytes; a longer one makes the body unreadable, so it passes untouched. */
  modelBytes: 256,
  /** Bytes of log lines that wait to be written; beyond them lines are dropped and counted. */
  logBacklogBytes: 16 * 1024 * 1024,
  /** UTF-16 units of an app's own request id that are kept. */
  joinIdUnits: 200,
  /** Most output tokens and answers that a request is taken to ask for; it may write what it likes. */
  outputTokens: 100_000_000,
  answersAsked: 1_024,
  /** Text kept per Exchange part (system, last user turn) for classification, in UTF-16 units; the rest is counted only. */
  textUnits: 32 * 1024,
  /** Parameters of a request that are noted beside those that every model takes, and the longest text of one, in UTF-16 units. */
  parameters: 64,
  parameterUnits: 64,
  /** Whole answers with status 200 up to this size may be errors, and are looked into where a server's error starts a fallback; bytes. */
  errorAnswerBytes: 2 * 1024,
  /** Parts of a request that are brought into one form for the cache's key, in bytes; longer ones are compared as they were written. */
  canonicalBytes: 16 * 1024,
  /** Longest path of a call that is not decided, as records keep it, in UTF-16 units. */
  callPathUnits: 256,
  /** Error bodies that are read for the parameter which a model refuses, in bytes. */
  refusalBytes: 64 * 1024,
  /** Models of which this process remembers what they refused, and parameters of each. */
  refusingModels: 1_024,
  refusedParameters: 32,
  /** Text of one body that sensitivity patterns look through, in UTF-16 units; a longer one counts as not read. */
  inspectedUnits: 8 * 1024 * 1024,
  /** Matches of one body that are masked; a body with more of them is refused. */
  maskedMatches: 20_000,
  /** How long a large body may take to be read on its own thread, in ms: Envoy is asked for it. */
  bodyReadMs: 20_000,
  /** Bytes of a request's text, and of its tool definitions, that the token estimate reads; of more it takes samples. */
  tokenSampleBytes: 16 * 1024,
  /** Tool definitions and tool results that the token estimate reads; more of them count as those did. */
  tokenAsides: 1_024,
  /** Tools whose names are kept. */
  toolNames: 64,
  /** JSON answers are held for reading up to this size, in bytes; usage of larger ones is unknown and counted. */
  answerBytes: 8 * 1024 * 1024,
  /** One SSE event's data that is held while incomplete, in bytes; longer events are skipped, never parsed. */
  sseEventBytes: 1024 * 1024,
  /** First events of a stream that are kept to say how much went by if it is cut, and their bytes. */
  sampledEvents: 16,
  sampledEventBytes: 2 * 1024,
  /** Parts of a request that a translation could not carry, as many as are named; the rest is the same again, or hopeless. */
  translationLosses: 32,
  /** Longest name of such a part, in UTF-16 units. */
  translationPathUnits: 160,
  /** Arguments of tool calls that a translated stream holds back until they can be sent in order, in bytes; beyond it the stream ends with an error. */
  translationHeldBytes: 8 * 1024 * 1024,
  /** The provider's usage object as it came, kept in the record, in bytes. */
  rawUsageBytes: 4 * 1024,
  /** Bodies of this size and more are read on a thread of their own, in bytes, and so many at a time; beyond it they are read at once. */
  inlineBodyBytes: 512 * 1024,
  bodiesBeingRead: 256,
  /** The same where what is found may have to be masked, which takes longer. */
  inlineMaskedBytes: 32 * 1024,
  /** Requests whose body is awaited; above it they pass undecided. */
  openBodies: 20_000,
  /** How late a timer may be before new requests pass undecided, in ms: half of what Envoy waits for an answer. */
  eventLoopLateMs: 250,
  /** Requests between decision and outcome that are remembered. Above it the oldest is closed as unobserved. */
  pendingExchanges: 50_000,
  /** Longest time between the decision and the first byte of the answer, in ms; then the record closes as unobserved. */
  pendingMs: 15 * 60 * 1000,
  /** Longest time between the decision and the entry of Envoy's access log that tells of the answer, in ms; then the record closes as unobserved. */
  loggedMs: 4 * 60 * 60 * 1000,
  /** Exchanges that have ended and wait for the end of the event loop's turn to be recorded. */
  unrecorded: 1_000,
  /** Decisions kept in memory for `explain` and the admin API. */
  recentDecisions: 2_000,
  /** Distinct label values per metric label; beyond it a value is counted as `other`. */
  labelValues: 200,
  /** Counter series of request labels together; a combination beyond it is counted as `other` throughout. */
  metricSeries: 5_000,
  /** A price list that is imported, in bytes. */
  priceListBytes: 32 * 1024 * 1024,
  /** Spans that wait for the collector; beyond it the spans of whole requests are dropped and counted. */
  spanQueue: 8_192,
  /** Records that wait for the ledger's disk, in bytes of their JSON; beyond it they are dropped and the gap is written down. */
  ledgerQueueBytes: 64 * 1024 * 1024,
  /** Questions to the ledger that wait for an answer. */
  ledgerQuestions: 64,
  /** Combinations of workspace, models, tier, reason, outcome in one hour or day of the roll-ups; beyond it callers' own names are `other`. */
  ledgerRollupKeys: 2_000,
  /** Decisions or groups that one question to the ledger gives. */
  ledgerAnswers: 10_000,
  /** Counters of budgets that one process keeps; beyond it users and others that are new share one a budget. */
  budgetCounters: 100_000,
  /** Workspaces that no policy names and nobody vouches for which one process counts apart in budgets and rate limits by workspace; beyond it they share one. */
  unnamedWorkspaces: 1_000,
  /** Messages about budgets that wait for a webhook; beyond it they are dropped. */
  budgetMessages: 1_000,
  /** Budgets that a policy may have: each request is held against all of them. */
  budgets: 200,
  /** Rate limits that a policy may have. */
  rateLimits: 200,
  /** Longest time for which a request holds its place among concurrent ones, in ms: of one whose end nobody tells. */
  slotMs: 30 * 60 * 1000,
  /** How long such a place in Redis outlives the process that holds it, in ms; it is renewed three times in that. */
  slotLeaseMs: 30_000,
  /** Counters that one question to the budgets gives. */
  budgetAnswers: 10_000,
  /** Pairs of targets that a replay lists. */
  replayMoves: 100,
  /** A learned router's file, in bytes. */
  modelFileBytes: 4 * 1024 * 1024,
  /** Policy source text, all files together, in bytes. */
  policyBytes: 1024 * 1024,
  /** Labelled prompts that a section may teach the classifier, and the longest of them, in UTF-16 units. */
  classifierExamples: 500,
  examplePromptUnits: 8_000,
  /** ConfigMaps that make one policy; those beyond it are not read. */
  policyConfigMaps: 1_000,
  /** Pairs of workspace and provider whose policy a backend is asked for; those beyond it go by the policy that they belong to. */
  policyPairs: 2_000,
  /** Longest time that a request's body may wait for its plan, in ms: Envoy's `max_message_timeout` is set to it. */
  bodyWaitMs: 120_000,
  /** Answers in the memory cache, in bytes, unless `serve --cache-memory` says otherwise. */
  cacheMemoryBytes: 128 * 1024 * 1024,
  /** Answers that are being collected for the cache, all together, in bytes; beyond it new ones are not kept. */
  cacheCollectingBytes: 64 * 1024 * 1024,
  /** Answers on their way to Redis, all together, in bytes; beyond it new ones stay in memory only. */
  cacheRedisWriteBytes: 32 * 1024 * 1024,
  /** Requests that wait for an identical one in flight; beyond it they go on alone. */
  cacheWaiting: 20_000,
  /** Longest question that the semantic cache compares, in UTF-16 units: longer ones are documents, where what is harmless in a question may matter. */
  semanticUnits: 400,
  /** Words of content that a question needs where what it asks for is only nearly the same: a short one leaves open what is meant. */
  semanticEvidence: 3,
  /** Tags of a cached answer, and the length of one, in UTF-16 units. */
  cacheTags: 8,
  cacheTagUnits: 64,
  /** Compiled schemas of answers that were asked for in JSON. */
  answerSchemas: 200,
  /** Requests up to this size are translated when they are decided, to know whether a chain may cross APIs, in bytes. */
  translationCheckBytes: 128 * 1024,
  /** Attempts of a chain, the first included: rendered config has a place for each. */
  fallbackAttempts: 8,
  /** Targets whose health is remembered. */
  cooldownTargets: 1_000,
  /** Last requests that an edit of the policy is tried on before it is accepted. */
  replayedBeforeEdit: 1_000,
  /** An AdmissionReview that the API server sends, in bytes: the object, and on an update the old one. */
  admissionBytes: 8 * 1024 * 1024,
  /** Conversations that are remembered, and bytes of a name that an app gives one. */
  sessions: 50_000,
  sessionNameBytes: 1_024,
  /** Decisions that may still be graded without asking the ledger. */
  gradedDecisions: 50_000,
  /** One grade as callers send it, in bytes. */
  feedbackBytes: 4 * 1024,
  /** One answer that is looked into when it is whole, and all such copies together, in bytes. */
  gradedAnswerBytes: 512 * 1024,
  gradedAnswersBytes: 64 * 1024 * 1024,
  /** Answers that wait for the judge, and each text of theirs, in UTF-16 units. */
  judgeWaiting: 200,
  judgedUnits: 8 * 1024,
  /** Copies of requests that are on their way, and for how long one is waited for, in ms. */
  shadows: 1_000,
  shadowMs: 15 * 60 * 1000,
  /** Observations of an experiment's larger arm that are compared with one of the smaller, and how many such groups may wait for the other arm. */
  pairingArm: 1_000,
  pairingBlocks: 48,
  /** Generations of the policy whose text is kept for the admin page. */
  policyHistory: 20,
  /** A request body that is tried on the admin page, in UTF-16 units. */
  tryBodyUnits: 1024 * 1024,
  /** Lines of one warning or error that are written in `logRepeatMs`; the rest is counted in the next line. */
  logRepeats: 10,
  logRepeatMs: 10_000,
  /** Warnings and errors that are told apart for that. */
  logMessages: 200,
  /** What one rule may cost for one request at most, in letters that it looks at: about 10 ms. */
  ruleCost: 8_000_000,
  /** Compiled patterns of rules' `matches` calls that are kept. */
  rulePatterns: 1_000,
  /** Templates whose grades are learnt from, per workspace and pair of models; the one that was graded longest ago goes first. */
  learningTemplates: 10_000,
  /** Workspaces and pairs of models that are learnt about. */
  learningPairs: 1_000,
  /** Candidates of one requested model in one workspace whose grades are kept. */
  comparedModels: 64,
  /** Grades in the Redis that replicas share; older ones go. */
  learningEvents: 100_000,
  /** UTF-16 units of a line in a file of JSON lines. */
  lineUnits: 64 * 1024 * 1024,
  /** What was learnt, as a file, in UTF-16 units. */
  learningStateUnits: 256 * 1024 * 1024,
  /** Models, their kinds of work and their templates whose output tokens are learnt. */
  outputLevels: 30_000,
  /** Templates with upgrades after low grades. */
  learningUpgrades: 10_000,
} as const;
