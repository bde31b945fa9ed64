/** An object that is still being made, member by member: without copies, as a spread for each optional member would make. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
