// Runs in every test file before its imports.
// Nest loads class-validator outside Jest's sandbox too, where it leaves its store in a global that Jest hands to every later sandbox:
// the next test file would see the classes of the one before.
import 'reflect-metadata';

delete globalThis.classValidatorMetadataStorage;
