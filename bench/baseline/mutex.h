// A mutex as the library's locks are: process-shared, and robust.
#pragma once

#include <pthread.h>

void InitMutex(pthread_mutex_t* mutex, int type);
