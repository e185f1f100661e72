require('./exchange.cjs')(require('shmkit'), module.filename);
