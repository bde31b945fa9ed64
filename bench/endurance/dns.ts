import { createSocket, type Socket } from 'node:dgram';

/** A name server that answers every question for an IPv4 address with one address, with an error, or not at all. */
export class TinyDns {
  /** An IPv4 address; `gone`: there is no such name; `silent`: no answer. */
  answer: string;
  asked = 0;
  readonly #socket: Socket = createSocket('udp4');

  constructor(answer: string) {
    this.answer = answer;
    this.#socket.on('message', (question, { port, address }) => {
      this.asked++;
      if (this.answer !== 'silent') this.#socket.send(this.#reply(question), port, address);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    return this.#socket.address().port;
  }

  close(): void {
    this.#socket.close();
  }

  /** RFC 1035, section 4: the question again, and one answer of type A where that was asked. */
  #reply(question: Buffer): Buffer {
    const end = question.indexOf(0, 12) + 5;
    const isA = question.readUInt16BE(end - 4) === 1;
    const known = this.answer !== 'gone';
    const answers = known && isA ? 1 : 0;
    const head = Buffer.from([question[0]!, question[1]!, 0x81, known ? 0x80 : 0x83, 0, 1, 0, answers, 0, 0, 0, 0]);
    const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...(answers === 1 ? this.answer.split('.').map(Number) : [])]);
    return Buffer.concat([head, question.subarray(12, end), ...(answers === 1 ? [record] : [])]);
  }
}
