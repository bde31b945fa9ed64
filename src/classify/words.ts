import { Lexicon, type Concept } from './lexicon.ts';

/**
 * What words tell about the work, by class and language. Scripts with spaces match whole words (a trailing `*` matches any ending);
 * Chinese, Japanese and Korean match anywhere. All lower case.
 */
export type WordClass =
  | 'define'
  | 'classify'
  | 'extract'
  | 'translate'
  | 'summarise'
  | 'rewrite'
  | 'explain'
  | 'compare'
  | 'why'
  | 'steps'
  | 'prove'
  | 'derive'
  | 'design'
  | 'implement'
  | 'function'
  | 'debug'
  | 'review'
  | 'plan'
  | 'scale'
  | 'constraint'
  | 'creative'
  | 'maths'
  | 'medical'
  | 'legal'
  | 'finance'
  | 'confirm';

type Words = Readonly<Record<WordClass, string>>;

/** One line per class: en | de | fr | es, pt and more | tr, comma-separated within. */
const spaced: Words = {
  define:
    "what is, what are, what does, define, definition, meaning of, who is, who was, when was, when did, where is, how many, which year, capital of, stands for, what time, convert, true or false | was ist, was sind, was bedeutet, wer ist, wer war, wann wurde, wo liegt, wie viele, hauptstadt, definiere, wofür steht | qu'est-ce que, qu'est-ce qu*, c'est quoi, définis, définition, qui est, quand a, où est, combien, capitale de, que signifie | qué es, qué son, que es, qué significa, define, definición, quién es, quién fue, cuándo, dónde está, cuántos, cuántas, capital de, o que é, o que são, co to jest, nedir, là gì, что такое, кто такой, ما هو, ما هي, क्या है | nedir, ne demek, kimdir, nerede, ne zaman, kaç, başkenti, tanımla",
  classify:
    'classify, categorize, categorise, sentiment, label, spam, yes or no, true or false, positive or negative | klassifiziere, kategorisiere, stimmung, ja oder nein | classe, classifie, classer, catégorise, sentiment, oui ou non | clasifica, categoriza, sentimiento, sí o no | sınıflandır, duygu analizi, evet mi hayır mı',
  extract:
    'extract, find all, list all, pull out, identify the, parse the | extrahiere, finde alle, liste alle | extrais, extraire, trouve tous, liste tous | extrae, extraer, encuentra todos, enumera todos | çıkar, hepsini bul, hepsini listele',
  translate:
    'translate, translation | übersetze, übersetzung, übersetzen | traduis, traduire, traduction | traduce, traducir, traducción, traduza, traduzir, przetłumacz, çevir, переведи*, ترجم | çevir, tercüme et, çeviri',
  summarise:
    'summarize, summarise, summary, tl;dr, tldr, key points | fasse zusammen, zusammenfassung, zusammenfassen, fasse | résume, résumer, résumé, points clés | resume, resumir, resumen, puntos clave | özetle, özet, kısaca özetle',
  rewrite:
    'rewrite, rephrase, paraphrase, proofread, fix the grammar, correct the | umschreiben, formuliere um, korrigiere | réécris, reformule, corrige | reescribe, reformula, corrige | yeniden yaz, düzelt',
  explain:
    'explain, describe, how does, how do, how to, how can, how would, walk me through, elaborate, overview of, tell me about | erkläre, beschreibe, wie funktioniert, wie kann, erläutere | explique, expliquer, décris, comment fonctionne, comment | explica, explicar, describe, cómo funciona, cómo, explique, como funciona, wyjaśnij, açıkla, giải thích, объясни*, اشرح, समझाएं, समझाइए | açıkla, anlat, nasıl, tarif et',
  compare:
    'compare, comparison, difference between, differences between, versus, vs, pros and cons, trade-offs, tradeoffs, trade-off, advantages | vergleiche, vergleich, unterschied zwischen, unterschiede, vor- und nachteile, vorteile | compare, comparer, comparaison, différence entre, différences, avantages | compara, comparar, comparación, diferencia entre, diferencias, ventajas, diferença entre, porównaj, karşılaştır, so sánh, сравни*, قارن | karşılaştır*, farkı, fark nedir, farklar*, avantaj*',
  why: 'why, reason for, reasons for, what causes, how come | warum, weshalb, wieso, aus welchem grund | pourquoi, raison de | por qué, razón de, por que, почему, لماذا | neden, niçin, niye',
  steps:
    'step by step, step-by-step, think through, reason through, chain of thought, show your work, show each step | schritt für schritt, zeige jeden schritt | étape par étape, pas à pas | paso a paso, passo a passo | adım adım',
  prove:
    "prove, proof, disprove, theorem, lemma, by induction, by contradiction, if and only if, undecidable, formally | beweise, beweis, satz von, vollständige induktion, widerspruch | prouve, prouver, démontre, démontrer, démonstration, preuve, théorème, par récurrence, par l'absurde | demuestra, demostrar, demostración, prueba que, teorema, por inducción, por contradicción, prove que, demonstre, udowodnij, kanıtla, chứng minh, докажи*, أثبت, सिद्ध | kanıtla*, ispatla*, teorem*, tümevarım*",
  derive:
    'derive, derivation, nash equilibrium, optimal strategy, expected value, complexity of, lower bound, upper bound, recurrence, posterior, bayes*, puzzle, riddle, knights and knaves, deduce, infer, paradox, equilibrium, game theor* | leite her, herleitung, gleichgewicht, rätsel, erwartungswert | dérive, déduis, déduire, équilibre, énigme, espérance | deriva, deduce, equilibrio, acertijo, valor esperado, derive, вывед* | türet*, nash denge*, denge*, beklenen değer, bulmaca',
  design:
    'design, architect, architecture, system that, end-to-end, end to end, framework for, platform for, strategy for | entwirf, entwerfe, architektur, konzipiere | conçois, concevoir, architecture, architecturer | diseña, diseñar, arquitectura, projete, projetar, zaprojektuj, tasarla, thiết kế, спроектируй*, разработай*, صمم, डिज़ाइन | tasarla*, mimari*',
  implement:
    'implement, build, develop, create a, construct, engineer | implementiere, baue, entwickle, erstelle | implémente, implémenter, construis, développe, crée | implementa, construye, desarrolla, crea, implemente, zaimplementuj, uygula, triển khai, реализуй*, создай*, نفذ, बनाएं | uygula, geliştir*, oluştur*, inşa et',
  function:
    'function, script, regex, sql query, query, class, method, unit test, unit tests, algorithm, code, program, snippet, component, endpoint, dockerfile, bash | funktion, skript, abfrage, klasse, programm, algorithmus | fonction, requête, classe, programme, algorithme | función, consulta, clase, programa, algoritmo, função, funkcję, fonksiyon, hàm, функци*, دالة, फ़ंक्शन, फंक्शन | fonksiyon*, sorgu*, betik, algoritma*, kod, sınıf*',
  debug:
    'debug, fix, bug, error, exception, stack trace, traceback, crash*, fails, failing, not working, segfault, memory leak, race condition, deadlock, timeout, times out | behebe, fehler, debugge, absturz, funktioniert nicht | corrige, débogue, erreur, plante, ne fonctionne pas | depura, arregla, error, falla, no funciona, ошибк*, исправ* | hata*, ayıkla, düzelt, çöküyor',
  review:
    'review, refactor, optimize, optimise, improve, evaluate, assess, analyze, analyse, critique | überprüfe, optimiere, verbessere, bewerte, analysiere | révise, optimise, améliore, évalue, analyse, analyser | revisa, optimiza, mejora, evalúa, analiza, analizar | incele*, optimize et, iyileştir*, değerlendir*, analiz et',
  plan: 'plan, roadmap, migration, migrate, audit, threat model*, rollout, strategy, compliance, zero-downtime, post-mortem | plane, fahrplan, migration, migriere, prüfung, strategie | planifie, feuille de route, migration, migrer, audit, stratégie | planifica, hoja de ruta, migración, migrar, auditoría, estrategia | planla*, strateji*, geçiş plan*, denetim',
  scale:
    'distributed, concurrent, real-time, fault-tolerant, fault tolerance, high availability, sharding, replication, consensus, latency, throughput, scalab*, scaling, multi-tenant, pipeline, recovery, rollback, monitoring, encryption, authentication, access control, consistency, scheduler, compiler, streaming, disaster | verteilt*, echtzeit, skalier*, fehlertolerant*, replikation, überwachung, verschlüsselung | distribu*, temps réel, tolérance aux pannes, réplication, surveillance, chiffrement, évolutif* | distribuido*, tiempo real, tolerancia a fallos, replicación, monitoreo, cifrado, escalab* | dağıtık, gerçek zamanlı, ölçeklen*, hata tolerans*, replikasyon*, izleme*, şifreleme*, kimlik doğrulama, eşzamanlı',
  constraint:
    'must, should, ensure, include, including, require*, at least, at most, no more than, only, exactly, without, support*, handle, handles, constraint*, such that, given that | muss, müssen, soll, mindestens, höchstens, einschließlich, genau, ohne, berücksichtige | doit, doivent, inclure, incluant, au moins, au plus, exactement, sans, inclus | debe, deben, incluye, incluyendo, incluya, al menos, como máximo, exactamente, sin, inclua, incluindo, bao gồm, включ*, تضمين | olmalı*, gerek*, içeren, dahil, en az, en fazla, olmadan, destekle*',
  creative:
    'story, poem, essay, blog post, screenplay, lyrics, speech, novel | geschichte, gedicht, aufsatz, rede | histoire, poème, dissertation, discours | historia, poema, ensayo, discurso | hikaye, şiir, deneme, konuşma',
  maths:
    'calculate, compute, solve, equation, integral, derivative, matrix, probability, percent, sum of, how much | berechne, löse, gleichung, integral, ableitung, wahrscheinlichkeit, prozent | calcule, résous, équation, intégrale, dérivée, probabilité | calcula, resuelve, ecuación, integral, derivada, probabilidad | hesapla*, denklem*, integral*, olasılık',
  medical:
    'patient, diagnos*, symptom*, treatment, dosage, clinical, medication, disease, therapy | patient*, diagnose, symptom*, behandlung, dosierung, krankheit | patient*, diagnost*, symptôme*, traitement, posologie, maladie | paciente*, diagnóst*, síntoma*, tratamiento, dosis, enfermedad | teşhis*, tedavi*, hastalık*, semptom*',
  legal:
    'contract, clause, liability, plaintiff, defendant, statute, gdpr, lawsuit, jurisdiction, legal | vertrag, klausel, haftung, kläger, gesetz, dsgvo, gericht* | contrat, clause, responsabilité, loi, rgpd, tribunal, juridique | contrato, cláusula, responsabilidad, ley, rgpd, tribunal, jurídic* | sözleşme*, madde*, kanun*, mahkeme*',
  finance:
    "portfolio, revenue, valuation, balance sheet, cash flow, interest rate, hedge, tax, derivatives pricing, invoice | bilanz, umsatz, zins*, steuer*, rechnung | bilan, chiffre d'affaires, impôt*, facture | balance, ingresos, impuesto*, factura, flujo de caja | portföy*, gelir tablosu, bilanço*, vergi*, fatura*",
  confirm:
    "yes, ok, okay, do it, go ahead, continue, proceed, sure, sounds good, please do | ja, mach das, weiter, einverstanden | oui, vas-y, continue, d'accord | sí, hazlo, adelante, continúa, de acuerdo | evet, tamam, devam et",
};

/** zh, ja, ko: substrings (Korean has spaces, but attaches endings to its words). */
const unspaced: Words = {
  define:
    '是什么,什么是,是谁,定义,多少,哪一年,哪里,首都,意思,とは,って何,誰です,いつ,どこ,何年,首都,意味,무엇인가,무엇입니까,뭐야,뭔가요,무엇인지,이란,뜻은,의미는,정의,누구,언제,어디,몇 년,수도는',
  classify: '分类,归类,情感,是否,分類,感情分析,분류,감정 분석,긍정 또는,스팸,예 또는 아니',
  extract: '提取,抽取,列出所有,找出,抽出,抜き出,추출,모두 찾,모두 나열,뽑아',
  translate: '翻译,译成,翻譯,翻訳,訳して,번역',
  summarise: '总结,摘要,概括,要点,要約,まとめ,요약,핵심만,간추려',
  rewrite: '改写,润色,校对,重写,書き直,言い換え,校正,다시 써,바꿔 써,교정,다듬어',
  explain: '解释,说明,介绍,如何,怎么,怎样,描述,説明,どのように,どうやって,方法を,仕組み,설명,어떻게,방법을,소개,서술',
  compare: '比较,对比,区别,差异,优缺点,优势,比較,違い,長所,メリット,비교,차이,장단점,장점,대비',
  why: '为什么,为何,原因,なぜ,理由,왜,이유,원인',
  steps: '一步一步,逐步,分步,步骤,ステップ,順を追って,段階的,단계별,단계적,차근차근,풀이 과정',
  prove: '证明,归纳法,反证,定理,当且仅当,証明,帰納法,背理法,증명,귀납법,귀류법,정리를,필요충분',
  derive:
    '推导,推断,纳什,均衡,博弈,谜题,期望值,悖论,下界,上界,複雑度,導出,導き,均衡,パズル,期待値,推論,ナッシュ,下限,上限,유도하,도출,내시 균형,균형을,기댓값,역설,하한,상한,복잡도,추론,퍼즐',
  design: '设计,架构,体系,方案,設計,アーキテクチャ,構築,설계,아키텍처,구상',
  implement: '实现,构建,开发,搭建,编写,実装,開発,作成,구현,개발,구축,만들어,작성',
  function:
    '函数,代码,脚本,正则,查询,算法,程序,関数,コード,スクリプト,クエリ,アルゴリズム,プログラム,正規表現,함수,코드,스크립트,쿼리,알고리즘,프로그램,클래스,정규식,정규 표현식,메서드',
  debug:
    '调试,修复,报错,错误,异常,崩溃,超时,失败,デバッグ,エラー,バグ,修正,例外,失敗,디버그,디버깅,오류,에러,버그,고쳐,수정해,예외,실패,충돌',
  review: '审查,优化,改进,评估,分析,重构,レビュー,最適化,改善,評価,分析,リファクタ,검토,최적화,개선,평가,분석,리팩터,리팩토링',
  plan: '规划,计划,迁移,路线图,审计,策略,合规,計画,移行,監査,戦略,ロードマップ,コンプライアンス,계획,마이그레이션,로드맵,감사,전략,규정 준수,컴플라이언스',
  scale:
    '分布式,并发,实时,容错,高可用,分片,复制,一致性,扩展,多租户,流水线,监控,加密,恢复,调度,编译器,分散,並行,リアルタイム,耐障害,可用性,レプリケーション,スケーリング,スケーラブル,パイプライン,監視,暗号,復旧,スケジュール,コンパイラ,분산,동시성,실시간,내결함성,장애 허용,고가용성,샤딩,복제,일관성,확장,멀티테넌트,파이프라인,모니터링,암호화,복구,롤백,스케줄,컴파일러,스트리밍,인증,처리량,지연 시간',
  constraint:
    '必须,需要,包括,包含,至少,最多,不超过,支持,要求,确保,限制,必要,含め,含む,少なくとも,以内,サポート,対応,制約,考慮,반드시,포함,최소,최대,이상,이하,초과하지,지원,요구,보장,제약,없이,고려',
  creative: '故事,诗,文章,演讲,小说,物語,詩,エッセイ,小説,スピーチ,이야기,시를,에세이,연설,소설',
  maths: '计算,求解,方程,积分,导数,矩阵,概率,計算,解いて,方程式,積分,微分,行列,確率,계산,방정식,적분,미분,행렬,확률,풀어',
  medical: '患者,诊断,症状,治疗,剂量,临床,药物,診断,治療,投与,臨床,薬,환자,진단,증상,치료,투여,임상,약물',
  legal: '合同,条款,责任,法律,诉讼,法院,契約,条項,責任,法律,訴訟,裁判,계약,조항,책임,법률,소송,법원',
  finance:
    '投资组合,收入,估值,资产负债,现金流,利率,税,发票,ポートフォリオ,売上,貸借,金利,税,請求書,포트폴리오,매출,평가액,대차대조표,현금 흐름,금리,세금,청구서',
  confirm: '好的,可以,继续,是的,はい,お願いします,続けて,了解,좋아요,계속해,진행해,그렇게 해',
};

/** Classes by index, for tables. */
export const wordClasses = Object.keys(spaced) as WordClass[];

/** The classes as concepts. */
export const wordConcepts: readonly Concept[] = wordClasses.map((name) => ({
  name,
  words: spaced[name].split(/[|,]/).map((word) => word.trim()),
  unspaced: unspaced[name].split(','),
}));

const lexicon = new Lexicon(wordConcepts);

/** Adds the hits of lower-case tokens to `hits`, one number per class. Linear in the tokens. */
export const countTokens = (tokens: readonly string[], hits: Uint8Array): void => lexicon.countTokens(tokens, hits);

/** Adds the hits of Chinese, Japanese and Korean words, which do not end at spaces. */
export const countUnspaced = (text: string, hits: Uint8Array): void => lexicon.countUnspaced(text, hits);
