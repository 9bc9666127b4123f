/** provisional */
export function normalizePath(path: string): string | null { return path; }
