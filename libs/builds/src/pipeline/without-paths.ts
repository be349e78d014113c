/** A text without the names of places below a directory: whatever is a path there is told as "…". Quotes around it stay. */
export function withoutPaths(text: string, dir: string): string {
  return text
    .split(dir)
    .map((part, index) => (index === 0 ? part : `…${part.replace(/^[^\s'":,]*/, '')}`))
    .join('');
}
