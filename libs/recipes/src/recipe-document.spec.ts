import { describe, expect, it } from '@jest/globals';
import { anonymousCaller, AppError } from '#libs/platform';
import { RecipeDocuments } from './recipe-document.js';
import { validatorWith, validRecipe } from './testing/recipe.factory.js';
import type { PasswordHasher } from './validation/password-hasher.js';

const ada = anonymousCaller('192.0.2.1');
const withPasswords = (count: number) =>
  validRecipe({
    users: Array.from({ length: count }, (_, at) => ({ username: `user${at}`, password: 'correct horse' })),
  });
const full = new AppError({ kind: 'quota', reason: 'build_quota', message: 'Full.' });

/** Counts hashings; who waits for them goes away after so many. */
function documents(leavesAfter = Infinity) {
  const gone = new AbortController();
  let hashings = 0;
  const hasher = {
    hash: (_password: string, _owner: object, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      if (++hashings === leavesAfter) gone.abort(new Error('gone'));
      return Promise.resolve('$y$j9T$0123456789012345678901$0123456789012345678901234567890123456789012');
    },
  };
  return {
    documents: new RecipeDocuments(validatorWith(), hasher as unknown as PasswordHasher),
    signal: gone.signal,
    hashings: () => hashings,
  };
}

describe('the passwords of a recipe', () => {
  it('are hashed for nobody who may not keep it', async () => {
    const { documents: all, hashings } = documents();
    await expect(all.prepare(ada, withPasswords(100), { admit: () => Promise.reject(full) })).rejects.toBe(full);
    expect(hashings()).toBe(0);
  });

  it('ask for no room where there are none', async () => {
    await documents().documents.prepare(ada, validRecipe({ users: [] }), { admit: () => Promise.reject(full) });
  });

  it('are hashed no further when their client has gone', async () => {
    const { documents: all, signal, hashings } = documents(3);
    await expect(all.prepare(ada, withPasswords(100), { signal })).rejects.toThrow('gone');
    expect(hashings()).toBe(3);
  });

  it('are gone from what is kept', async () => {
    const { documents: all, hashings } = documents();
    expect(JSON.stringify((await all.prepare(ada, withPasswords(2))).document)).not.toContain('correct horse');
    expect(hashings()).toBe(2);
  });
});

describe('what is told of a recipe', () => {
  it('leads to the field from the top of what was sent, like every other refusal', async () => {
    const { documents: all } = documents();
    const refused = await all
      .prepare(ada, validRecipe({ system: { locale: 'xx_YY.UTF-8' } }), {
        more: [{ path: '/modifications/name', code: 'name_twice', message: 'says something else' }],
      })
      .catch((error: unknown) => error as AppError);
    expect(refused).toMatchObject({
      reason: 'invalid_recipe',
      violations: [
        { path: '/modifications/name' },
        { path: '/recipe/system/locale', code: 'unknown_locale', suggestion: expect.any(String) },
      ],
    });
    await expect(all.prepare(ada, 'no recipe')).rejects.toMatchObject({
      violations: [{ path: '/recipe', code: 'not_an_object' }],
    });
    expect((await all.prepare(ada, validRecipe({ users: [] }))).validation.warnings).toContainEqual(
      expect.objectContaining({ path: '/recipe/users', code: 'no_login' }),
    );
  });
});
