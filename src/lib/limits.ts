/**
 * All bounds in one place: bodies, texts, tables, queues. Every number that limits what a peer, an app or an operator can make Sluice hold
 * belongs here and nowhere else.
 */
export const limits = {
  /** Largest request body that Envoy buffers and Sluice reads, in bytes. Larger ones pass unchanged. */
  requestBodyBytes: 32 * 1024 * 1024,
  /** Largest export of a provider's bill that `reconcile` reads, unpacked. */
  billBytes: 256 * 1024 * 1024,
  /**
   * gRPC messages, in bytes: all that Envoy can hold of a body, on the connection and on the stream, and room for headers and metadata. A
   * message that is refused would let a request pass undecided; one that is read is refused or passed on as the policy says.
   */
  grpcMessageBytes: 68 * 1024 * 1024,
  /**
   * Most data that Envoy may buffer for Sluice on one stream and on one connection (one per worker), in bytes: Envoy 1.40 crashes with a
   * segmentation fault if a provider's filter exceeds it with a whole answer. So it is far above the usual amount, and bounds the cost of a
   * hanging Sluice.
   */
  envoyUnsentBytes: 1024 * 1024 * 1024,
  /** CAs beside the public ones that pods get in a variable, in bytes of PEM: the kernel takes 128 KiB for one. */
  egressCaBytes: 96 * 1024,
  /** Concurrent requests from one Envoy to a provider: rendered circuit breakers; beyond it apps get 503. */
  envoyRequests: 50_000,
  /** Concurrent streams from Envoy to Sluice, and the breakers of its cluster: four for each of these requests. */
  grpcStreams: 200_000,
  /** Envoy's time-out for Sluice's answer to one message, after which the request passes undecided, in ms; a decision takes well under 1 ms. */
  messageMs: 500,
  /**
   * The same where the policy may refuse a request because of what it holds, or is closed: it is better late than let through or refused.
   * Longer than a start takes on a busy machine.
   */
  withheldMessageMs: 30_000,
  /** There Envoy asks again when Sluice cannot be reached or ends before it has answered; tries, and the pauses between them, in ms. */
  askAgain: { times: 8, firstMs: 50, longestMs: 1_000 },
  /** The same for later attempts of a chain, which fail without Sluice's answer. */
  attemptMessageMs: 5_000,
  /** How long a client may take to send a request, including its body, in ms; then it gets 408. */
  requestMs: 300_000,
  /** One message of Envoy's access log, in bytes: a whole collected answer, also in base64, together with a batch of others. */
  accessLogMessageBytes: 16 * 1024 * 1024,
  /** Chunks collected by Envoy at the start of a stream, for its first token; and their bytes. */
  collectedHeadChunks: 16,
  collectedHeadBytes: 256 * 1024,
  /** Fewest bytes that Envoy collects at the end of a stream, for APIs with small last events; for others sseEventBytes. */
  collectedTailBytes: 8 * 1024,
  /** One HTTP/2 header block on that connection, names, values and 32 bytes for each, in bytes. */
  http2HeaderListBytes: 16 * 1024,
  /** What Envoy may send on one stream before any of it is read, in bytes: many streams at once must not fill the connection before others. */
  http2StreamWindowBytes: 128 * 1024,
  /** What it may send ahead of longer messages, of all of them together, in bytes. One that is longer than this waits until the memory below has room for it. */
  longMessageBytes: 1024 * 1024,
  /** Messages from Envoy that are incomplete or undecided and answers that Envoy has not read, on all connections together, in bytes. */
  transportMemoryBytes: 512 * 1024 * 1024,
  /** The least of that: below it one of the largest bodies would not fit. */
  leastTransportMemoryBytes: 160 * 1024 * 1024,
  /** How long a TCP connection from Envoy may be silent before it is asked for a sign of life, and then before it is cut, in ms. */
  keepaliveMs: 30_000,
  /**
   * HTTP/2 frames per second without payload (ping, settings, priority, reset, window update, empty data, trailers). Envoy resets a stream
   * per request.
   */
  http2ControlFrames: 200_000,
  /** Longest stored workspace name, in UTF-16 units. */
  workspaceUnits: 128,
  /** Deepest JSON nesting supported by the scanner; deeper bodies pass unchanged. */
  jsonDepth: 512,
  /** Longest `model` value, in bytes; a longer one makes the body unreadable, so it passes unchanged. */
  modelBytes: 256,
  /** Waiting log lines, in bytes; beyond it lines are dropped and counted. */
  logBacklogBytes: 16 * 1024 * 1024,
  /** UTF-16 units kept of an app's own request id. */
  joinIdUnits: 200,
  /** Most output tokens and answers that a request is assumed to ask for, whatever it contains. */
  outputTokens: 100_000_000,
  answersAsked: 1_024,
  /** Text kept per part of a request (system, last user turn) for classification, in UTF-16 units; the rest is only counted. */
  textUnits: 32 * 1024,
  /** Request parameters noted besides those that every model accepts, and the longest text of one, in UTF-16 units. */
  parameters: 64,
  parameterUnits: 64,
  /** Whole answers with status 200 up to this size may be errors, and are inspected if a server error starts a fallback; bytes. */
  errorAnswerBytes: 2 * 1024,
  /** Parts of a request that are normalised for the cache key, in bytes; longer ones are compared verbatim. */
  canonicalBytes: 16 * 1024,
  /** Longest path of an undecided call stored in records, in UTF-16 units. */
  callPathUnits: 256,
  /** Bytes of the longest body of an observed call that is read for its model alone. */
  namedCallBytes: 4 * 1024 * 1024,
  /** The same for bodies that name it below their top, as batches do: they are parsed as a whole. */
  namedInsideBytes: 256 * 1024,
  /** Error bodies read to find the parameter that a model refuses, in bytes. */
  refusalBytes: 64 * 1024,
  /** Models whose refused parameters this process remembers, and parameters of each. */
  refusingModels: 1_024,
  refusedParameters: 32,
  /** Names of targets, `provider/model`, that are kept as one text. */
  targetNames: 1_024,
  /** Text of one body that sensitivity patterns search, in UTF-16 units; a longer one counts as unread. */
  inspectedUnits: 8 * 1024 * 1024,
  /** Matches masked in one body; a body with more is refused. */
  maskedMatches: 20_000,
  /** How long reading a large body on its own thread may take, in ms: Envoy is asked for this time. */
  bodyReadMs: 20_000,
  /** Bytes of a request's text, and of its tool definitions, read by the token estimate; longer ones are sampled. */
  tokenSampleBytes: 16 * 1024,
  /** Tool definitions and tool results read by the token estimate; further ones are extrapolated. */
  tokenAsides: 1_024,
  /** Tools whose names are stored. */
  toolNames: 64,
  /** JSON answers are buffered up to this size, in bytes; usage of larger ones is unknown and counted. */
  answerBytes: 8 * 1024 * 1024,
  /** Buffered data of one incomplete SSE event, in bytes; longer events are skipped, never parsed. */
  sseEventBytes: 1024 * 1024,
  /** First events of a stream kept to estimate its size if it is cut, and their bytes. */
  sampledEvents: 16,
  sampledEventBytes: 2 * 1024,
  /** Parts of a request named as lost in translation; further ones repeat these, or the translation is hopeless. */
  translationLosses: 32,
  /** Parts of a request that a record names for a target which has no place for them. */
  recordedObstacles: 4,
  /** Longest name of such a part, in UTF-16 units. */
  translationPathUnits: 160,
  /**
   * Arguments of tool calls that a translated stream buffers until they can be sent in order, in bytes; beyond it the stream ends with an
   * error.
   */
  translationHeldBytes: 8 * 1024 * 1024,
  /** The provider's original usage object in the record, in bytes. */
  rawUsageBytes: 4 * 1024,
  /** Bodies of at least this size are read on their own thread, in bytes, and most at a time; beyond that they are read inline. */
  inlineBodyBytes: 512 * 1024,
  bodiesBeingRead: 256,
  /** The same if matches may have to be masked, which takes longer. */
  inlineMaskedBytes: 32 * 1024,
  /** Bodies with at least this many bytes count towards Envoy's memory, and from the second on they are refused when it is used up. */
  countedBodyBytes: 64 * 1024,
  largeBodyBytes: 1024 * 1024,
  /** How often Envoy 1.40 holds a body while Sluice reads and rewrites it; measured: 3.3 times. */
  bodyCopies: 3.5,
  /** Requests waiting for their body; beyond it they pass undecided. */
  openBodies: 20_000,
  /** Timer delay at which new requests pass undecided, in ms: half of Envoy's time-out. */
  eventLoopLateMs: 250,
  /** The same where the policy may refuse a request because of what it holds: a start's backlog is decided, not let through. */
  withheldLateMs: 5_000,
  /** Requests remembered between decision and outcome. Beyond it the oldest is closed as unobserved. */
  pendingExchanges: 50_000,
  /** Longest time between the decision and the first byte of the answer, in ms; then the record is closed as unobserved. */
  pendingMs: 15 * 60 * 1000,
  /** Longest time between the decision and the answer's entry in Envoy's access log, in ms; then the record is closed as unobserved. */
  loggedMs: 4 * 60 * 60 * 1000,
  /** Finished exchanges waiting to be recorded at the end of the event loop's turn. */
  unrecorded: 1_000,
  /** Decisions kept in memory for `explain` and the admin API. */
  recentDecisions: 2_000,
  /** The same in bytes of JSON. */
  recentBytes: 8 * 1024 * 1024,
  /** Distinct label values per metric label; beyond it a value is counted as `other`. */
  labelValues: 200,
  /** Counter series of request labels in total; a combination beyond it is counted with all labels `other`. */
  metricSeries: 5_000,
  /** Size of an imported price list, in bytes. */
  priceListBytes: 32 * 1024 * 1024,
  /** Spans waiting for the collector; beyond it the spans of whole requests are dropped and counted. */
  spanQueue: 8_192,
  /** Records waiting for the collector, and UTF-16 units of their JSON; beyond them records are dropped and counted. */
  otlpRecords: 16_384,
  otlpRecordBytes: 32 * 1024 * 1024,
  /** Records waiting for the ledger's disk, in bytes of their JSON; beyond it they are dropped and the gap is recorded. */
  ledgerQueueBytes: 64 * 1024 * 1024,
  /** A line of a worker's log that its parent holds until it is whole. */
  workerLineBytes: 1024 * 1024,
  /** Queries to the ledger waiting for a result. */
  ledgerQuestions: 64,
  /**
   * Combinations of workspace, models, tier, reason, outcome in one hour or day of the roll-ups; beyond it names chosen by callers become
   * `other`.
   */
  ledgerRollupKeys: 2_000,
  /** Decisions or groups returned by one ledger query. */
  ledgerAnswers: 10_000,
  /** Budget counters in one process; beyond it new users and other keys share one counter per budget. */
  budgetCounters: 100_000,
  /**
   * Workspaces, neither named by a policy nor vouched for, that one process counts separately in budgets and rate limits by workspace;
   * beyond it they share one.
   */
  unnamedWorkspaces: 1_000,
  /** Budget messages waiting for a webhook; beyond it they are dropped. */
  budgetMessages: 1_000,
  /** Budgets per policy: each request is checked against all of them. */
  budgets: 200,
  /** Requests of one batch that budgets and rate limits count; providers take fewer. */
  batchRequests: 1_000_000,
  /** Rate limits per policy. */
  rateLimits: 200,
  /** Longest time that a request occupies a concurrency slot, in ms, if its end is never reported. */
  slotMs: 30 * 60 * 1000,
  /** How long such a slot in Redis outlives the process that holds it, in ms; it is renewed three times within that. */
  slotLeaseMs: 30_000,
  /** Counters returned by one budget query. */
  budgetAnswers: 10_000,
  /** Pairs of targets listed by a replay. */
  replayMoves: 100,
  /** A learned router's file, in bytes. */
  modelFileBytes: 4 * 1024 * 1024,
  /** Policy source text of all files, in bytes. */
  policyBytes: 1024 * 1024,
  /** A policy with at least this many bytes is compiled beside the requests: on the loop it would take more than about 20 ms. */
  inlinePolicyBytes: 16 * 1024,
  /** Longest time that a step of such a compilation may keep the loop, in ms. */
  policyStepMs: 5,
  /** Labelled prompts that a section may add to the classifier, and the longest of them, in UTF-16 units. */
  classifierExamples: 500,
  examplePromptUnits: 8_000,
  /** Prompts that wait for the sentence model, what it adds that is kept, in bytes, and the longest that a policy may have a request wait, in ms. */
  embeddingsWaiting: 64,
  embeddingCacheBytes: 16 * 1024 * 1024,
  embeddingWaitMs: 400,
  /** Lists of words that a section may teach the classifier, the words of each, and the longest of them, in UTF-16 units. */
  taughtLists: 50,
  taughtWords: 200,
  taughtWordUnits: 80,
  /** Templates that a section may give labels. */
  taughtTemplates: 200,
  /** ConfigMaps and LLMPolicies composed into one policy; further ones are not read. */
  policyObjects: 1_000,
  /** Pairs of workspace and provider whose policy is requested from a backend; further ones use the policy that they belong to. */
  policyPairs: 2_000,
  /** Longest time that a request's body may wait for its plan, in ms: Envoy's `max_message_timeout` is set to it. */
  bodyWaitMs: 120_000,
  /** Answers in the memory cache, in bytes, unless `serve --cache-memory` says otherwise. */
  cacheMemoryBytes: 128 * 1024 * 1024,
  /** Answers being collected for the cache, in total, in bytes; beyond it new ones are not stored. */
  cacheCollectingBytes: 64 * 1024 * 1024,
  /** Answers being written to Redis, in total, in bytes; beyond it new ones stay in memory only. */
  cacheRedisWriteBytes: 32 * 1024 * 1024,
  /**
   * How long requests wait for an identical one whose answer has not begun, in ms: then one of them asks too. Envoy does not report that an
   * app left before its answer began, and a report may be lost.
   */
  cacheSilentMs: 10_000,
  /** Requests waiting for an identical one in flight; beyond it they proceed alone. */
  cacheWaiting: 20_000,
  /**
   * Longest question compared by the semantic cache, in UTF-16 units: longer ones are documents, where details that do not matter in a
   * question may matter.
   */
  semanticUnits: 400,
  /** Content words required in a question whose request is only nearly the same: a short one is ambiguous. */
  semanticEvidence: 3,
  /** Tags of a cached answer, and the longest one, in UTF-16 units. */
  cacheTags: 8,
  cacheTagUnits: 64,
  /** Cached compiled schemas of JSON answers. */
  answerSchemas: 200,
  /** Requests up to this size are translated at decision time, to know whether a chain may cross APIs, in bytes. */
  translationCheckBytes: 128 * 1024,
  /** Attempts of a chain, including the first: rendered config has a place for each. */
  fallbackAttempts: 8,
  /** Targets whose health is remembered. */
  cooldownTargets: 1_000,
  /** Recent requests replayed with a policy edit before it is accepted. */
  replayedBeforeEdit: 1_000,
  /** An AdmissionReview from the API server, in bytes: the object, and on an update the old one. */
  admissionBytes: 8 * 1024 * 1024,
  /** Remembered conversations, and bytes of the id that an app gives one. */
  sessions: 50_000,
  sessionNameBytes: 1_024,
  /** Decisions that can be graded without a ledger query. */
  gradedDecisions: 50_000,
  /** One grade sent by a caller, in bytes. */
  feedbackBytes: 4 * 1024,
  /** One answer copied for checks, and all such copies together, in bytes. */
  gradedAnswerBytes: 512 * 1024,
  gradedAnswersBytes: 64 * 1024 * 1024,
  /** Answers waiting for the judge, and each of their texts, in UTF-16 units. */
  judgeWaiting: 200,
  judgedUnits: 8 * 1024,
  /** Copies of requests in flight, and their time-out, in ms. */
  shadows: 1_000,
  shadowMs: 15 * 60 * 1000,
  /**
   * Observations of an experiment's larger arm that are compared with one of the smaller, and most such groups waiting for the other arm.
   */
  pairingArm: 1_000,
  pairingBlocks: 48,
  /** Policy generations whose text is kept for the admin page. */
  policyHistory: 20,
  /** A request body submitted on the admin page, in UTF-16 units. */
  tryBodyUnits: 1024 * 1024,
  /** Lines written of one warning or error within `logRepeatMs`; the rest is counted in the next line. */
  logRepeats: 10,
  logRepeatMs: 10_000,
  /** Distinct warnings and errors tracked for that. */
  logMessages: 200,
  /** Highest cost of one rule for one request, in characters inspected: about 10 ms. */
  ruleCost: 8_000_000,
  /** Cached compiled patterns of rules' `matches` calls. */
  rulePatterns: 1_000,
  /** Templates with learnt grades, per workspace and pair of models; the one graded longest ago is dropped first. */
  learningTemplates: 10_000,
  /** Workspaces and pairs of models with learning. */
  learningPairs: 1_000,
  /** Candidates of one requested model in one workspace whose grades are kept. */
  comparedModels: 64,
  /** Grades in the Redis shared by replicas; older ones are dropped. */
  learningEvents: 100_000,
  /** UTF-16 units per line in a file of JSON lines. */
  lineUnits: 64 * 1024 * 1024,
  /** The file of the learnt state, in UTF-16 units. */
  learningStateUnits: 256 * 1024 * 1024,
  /** Models, their kinds of work and their templates whose output tokens are learnt. */
  outputLevels: 30_000,
  /** Records of the ledger from which a restarted server learns lengths of answers again. */
  recalledLengths: 20_000,
  /** Templates with upgrades after low grades. */
  learningUpgrades: 10_000,
} as const;
