require('./exchange.cjs')(require('shmkit'));
