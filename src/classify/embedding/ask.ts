import { hash } from 'node:crypto';

/** UTF-16 units of a prompt that are embedded: its beginning and its end, where people state a task. */
const headUnits = 400;
const tailUnits = 240;

/** The part of a prompt that is embedded. */
export function askOf(prompt: string): string {
  const text = prompt.trim();
  return text.length <= headUnits + tailUnits ? text : `${text.slice(0, headUnits)}\n${text.slice(-tailUnits)}`;
}

const numbers = /\p{N}[\p{N}.,:/%-]*/gu;

/** Names what is asked by 32 hex digits: prompts that differ only in numbers, dates, spaces and upper case have the same. */
export function askKey(prompt: string): string {
  return hash('sha256', askOf(prompt).toLowerCase().replace(numbers, '#').replace(/\s+/g, ' ')).slice(0, 32);
}
