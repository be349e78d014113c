/** One environment variable of the factory: what it means, its default in words, and how its text becomes a value. */
export interface SettingDefinition<T> {
  readonly name: string;
  readonly meaning: string;
  /** The default as the documentation shows it. */
  readonly shownDefault: string;
  readonly secret?: boolean;
  /** Throws an Error whose message completes the sentence "NAME …". Gets undefined where the variable is unset or empty. */
  readonly parse: (text: string | undefined) => T;
}

export const define = <T>(definition: SettingDefinition<T>) => definition;
