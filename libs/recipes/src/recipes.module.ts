import { Module } from '@nestjs/common';
import { Catalogue } from './catalogue/catalogue.js';
import { loadCatalogue } from './catalogue/catalogue-loader.js';
import { CatalogueService } from './catalogue/catalogue.service.js';
import { AptPackageSource } from './packages/apt/apt-package-source.js';
import { PackageIndex } from './packages/package-index.port.js';
import { PostgresPackageIndex } from './packages/package-index.repository.js';
import { PackageIndexRefreshService } from './packages/package-index-refresh.service.js';
import { PackageSource } from './packages/package-source.port.js';
import { RecipeDocuments } from './recipe-document.js';
import { RecipeReader } from './recipe.reader.js';
import { RecipeRepository } from './recipe.repository.js';
import { RecipeService } from './recipe.service.js';
import { RecipesController } from './recipes.controller.js';
import { RecipesTools } from './recipes.tools.js';
import { PasswordHasher } from './validation/password-hasher.js';
import { RecipeValidator } from './validation/recipe-validator.js';

@Module({
  controllers: [RecipesController],
  providers: [
    { provide: Catalogue, useFactory: () => loadCatalogue() },
    PostgresPackageIndex,
    { provide: PackageIndex, useExisting: PostgresPackageIndex },
    AptPackageSource,
    { provide: PackageSource, useExisting: AptPackageSource },
    PackageIndexRefreshService,
    CatalogueService,
    RecipeValidator,
    PasswordHasher,
    RecipeDocuments,
    RecipeRepository,
    RecipeReader,
    RecipeService,
    RecipesTools,
  ],
  exports: [RecipeReader, AptPackageSource, Catalogue, PackageIndex],
})
export class RecipesModule {}
